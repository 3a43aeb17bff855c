package clients;

import com.anthropic.client.AnthropicClient;
import com.anthropic.client.okhttp.AnthropicOkHttpClient;
import com.anthropic.core.JsonValue;
import com.anthropic.errors.AnthropicServiceException;
import com.anthropic.models.messages.ContentBlockParam;
import com.anthropic.models.messages.Message;
import com.anthropic.models.messages.MessageCreateParams;
import com.anthropic.models.messages.Tool;
import com.anthropic.models.messages.ToolResultBlockParam;
import com.anthropic.models.messages.ToolUseBlock;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Messages by Anthropic's client. */
final class AnthropicMessages implements Client {
  private final AnthropicClient client;
  private final String model;

  AnthropicMessages(Task task) {
    client = AnthropicOkHttpClient.builder().baseUrl(task.url()).apiKey(task.key()).maxRetries(0).build();
    model = task.model();
  }

  @Override
  public Object chat(String text) {
    return said(client.messages().create(asked(text).build()));
  }

  @Override
  public Object stream(String text) {
    try (var stream = client.messages().createStreaming(asked(text).build())) {
      return stream.stream()
          .flatMap(event -> event.contentBlockDelta().stream())
          .flatMap(event -> event.delta().text().stream())
          .map(delta -> delta.text())
          .collect(Collectors.joining());
    }
  }

  @Override
  public Object tools(String text) {
    var city = Tool.InputSchema.Properties.builder();
    city.putAdditionalProperty("city", JsonValue.from(Map.of("type", "string")));
    var schema = Tool.InputSchema.builder().properties(city.build()).addRequired("city").build();
    var request = asked(text).addTool(Tool.builder().name("get_weather").inputSchema(schema).build());
    Message called = client.messages().create(request.build());
    List<ContentBlockParam> results =
        called.content().stream().flatMap(block -> block.toolUse().stream()).map(AnthropicMessages::result).toList();
    request.addMessage(called).addUserMessageOfContentBlockParams(results);
    return said(client.messages().create(request.build()));
  }

  @Override
  public Object structured(String text) {
    var request = asked(text).outputConfig(Trip.class).build();
    return client.messages().create(request).content().get(0).text().orElseThrow().text();
  }

  @Override
  public Object retrieve() {
    return client.models().retrieve(model).id();
  }

  @Override
  public Raised explain(Exception error) {
    String type = error.getClass().getSimpleName();
    if (error instanceof AnthropicServiceException failed) {
      String word = failed.type().map(Object::toString).orElse("");
      return new Raised(type, failed.statusCode(), failed.getMessage(), word, failed.requestId().orElse(""));
    }
    return new Raised(type, 0, String.valueOf(error.getMessage()), "", "");
  }

  @Override
  public void close() {
    client.close();
  }

  private MessageCreateParams.Builder asked(String text) {
    return MessageCreateParams.builder().model(model).maxTokens(200).addUserMessage(text);
  }

  private static String said(Message answer) {
    return answer.content().get(0).text().orElseThrow().text();
  }

  private static ContentBlockParam result(ToolUseBlock call) {
    String content = call._input().convert(GetWeather.class).result();
    return ContentBlockParam.ofToolResult(
        ToolResultBlockParam.builder().toolUseId(call.id()).content(content).build());
  }
}
