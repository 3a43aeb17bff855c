package clients;

import com.fasterxml.jackson.annotation.JsonProperty;

/** An exception as it tells itself: `word` is the vendor's own word for what went wrong. */
record Raised(
    String type, int status, String message, String word, @JsonProperty("request_id") String requestId) {}
