"""The REST dialects, one module each. A dialect is data: routes, policies and the shape of its errors."""
