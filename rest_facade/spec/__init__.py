"""Documents about the REST API, made from what it is made from: routes, descriptors and the protos' comments."""
