package clients;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.genai.errors.ApiException;
import com.google.genai.types.GenerateContentConfig;
import com.google.genai.types.HttpOptions;
import com.google.genai.types.HttpRetryOptions;
import com.google.genai.types.Tool;
import java.util.List;
import java.util.Map;

/** Content generation by Google's client, which calls the tool itself. Its exceptions have no request id. */
public final class Gemini implements Client {
  private static final Map<String, Object> TRIP =
      Map.of(
          "type", "object",
          "properties", Map.of("city", Map.of("type", "string"), "days", Map.of("type", "integer")),
          "required", List.of("city", "days"));

  private final com.google.genai.Client client;
  private final String model;

  Gemini(Task task) {
    HttpRetryOptions once = HttpRetryOptions.builder().attempts(1).build();
    HttpOptions options = HttpOptions.builder().baseUrl(task.url()).retryOptions(once).build();
    client = com.google.genai.Client.builder().apiKey(task.key()).httpOptions(options).build();
    model = task.model();
  }

  /** The client describes this function to the model, and calls it. */
  public static String getWeather(String city) {
    return GetWeather.weather(city);
  }

  @Override
  public Object chat(String text) {
    return client.models.generateContent(model, text, null).text();
  }

  @Override
  public Object stream(String text) {
    StringBuilder said = new StringBuilder();
    try (var stream = client.models.generateContentStream(model, text, null)) {
      stream.forEach(chunk -> said.append(chunk.text()));
    }
    return said.toString();
  }

  @Override
  public Object tools(String text) throws ReflectiveOperationException {
    Tool tool = Tool.builder().functions(Gemini.class.getMethod("getWeather", String.class)).build();
    return client.models.generateContent(model, text, GenerateContentConfig.builder().tools(tool).build()).text();
  }

  @Override
  public Object structured(String text) throws java.io.IOException {
    var config = GenerateContentConfig.builder().responseMimeType("application/json").responseJsonSchema(TRIP).build();
    return new ObjectMapper().readValue(client.models.generateContent(model, text, config).text(), Trip.class);
  }

  @Override
  public Object retrieve() {
    return client.models.get(model, null).name().orElse("");
  }

  @Override
  public Raised explain(Exception error) {
    String type = error.getClass().getSimpleName();
    if (error instanceof ApiException failed) {
      return new Raised(type, failed.code(), failed.message(), failed.status(), "");
    }
    return new Raised(type, 0, String.valueOf(error.getMessage()), "", "");
  }

  @Override
  public void close() {
    client.close();
  }
}
