package clients;

/** What a client is asked to do, and where. */
record Task(String id, String client, String feature, String url, String key, String model, String text) {}
