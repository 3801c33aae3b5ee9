// Makes the server the one node of its replica set, and makes query's user. Safe to repeat.
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
const query = {
  pwd: process.env.MONGODB_QUERY_PASSWORD,
  roles: [{ role: "readWrite", db: "comanda" }],
};
if (comanda.getUser("query")) comanda.updateUser("query", query);
else comanda.createUser({ user: "query", ...query });
