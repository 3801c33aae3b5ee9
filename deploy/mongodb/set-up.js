// Makes the server the one node of its replica set, and makes query's two users: its API reads, and
// whoever projects, or operates it, writes. Safe to repeat.
const host = process.env.MONGODB_HOST;
const password = encodeURIComponent(process.env.MONGODB_ROOT_PASSWORD);
const admin = connect(`mongodb://root:${password}@${host}/admin?directConnection=true`);

try {
  admin.adminCommand({ replSetGetStatus: 1 });
} catch (error) {
  if (error.codeName !== "NotYetInitialized") throw error;
  admin.adminCommand({ replSetInitiate: { _id: "rs0", members: [{ _id: 0, host }] } });
}
while (!admin.hello().isWritablePrimary) sleep(200);

const comanda = admin.getSiblingDB("comanda");
const users = {
  "query": { pwd: process.env.MONGODB_QUERY_PASSWORD, role: "read" },
  "query-projector": { pwd: process.env.MONGODB_QUERY_PROJECTOR_PASSWORD, role: "readWrite" },
};
for (const [name, { pwd, role }] of Object.entries(users)) {
  const user = { pwd, roles: [{ role, db: "comanda" }] };
  if (comanda.getUser(name)) comanda.updateUser(name, user);
  else comanda.createUser({ user: name, ...user });
}
