// Shows the service's document, and has nobody else look at it (the validator of Swagger's site).
SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).href,
  dom_id: "#docs",
  deepLinking: true,
  showExtensions: true,
  validatorUrl: null,
});
