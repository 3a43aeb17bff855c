package clients;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Official clients for Java, each doing what it is asked.
 *
 * <p>A line of the input is a task, a line of the output its result: what was said, or the client's own exception as it
 * tells itself. It knows of no test.
 */
public final class Main {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Main() {}

  public static void main(String[] arguments) throws Exception {
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Task task = JSON.readValue(line, Task.class);
      Map<String, Object> result = new LinkedHashMap<>();
      result.put("id", task.id());
      try (Client client = connect(task)) {
        try {
          result.put("said", perform(client, task));
        } catch (Exception error) {
          result.put("raised", client.explain(error));
        }
      }
      out.println(JSON.writeValueAsString(result));
    }
  }

  private static Client connect(Task task) {
    return switch (task.client()) {
      case "openai" -> new OpenAIChat(task);
      case "openai-responses" -> new OpenAIResponses(task);
      case "anthropic" -> new AnthropicMessages(task);
      case "gemini" -> new Gemini(task);
      default -> throw new IllegalArgumentException(task.client());
    };
  }

  private static Object perform(Client client, Task task) throws Exception {
    return switch (task.feature()) {
      case "chat" -> client.chat(task.text());
      case "stream" -> client.stream(task.text());
      case "tools" -> client.tools(task.text());
      case "structured" -> client.structured(task.text());
      case "retrieve" -> client.retrieve();
      default -> throw new IllegalArgumentException(task.feature());
    };
  }
}
