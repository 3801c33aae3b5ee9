// Shows the document of the service's messages.
fetch("asyncapi.json").then((answer) => answer.json()).then((schema) => AsyncApiStandalone.render(
  {schema, config: {show: {errors: false}}}, document.getElementById("asyncapi")));
