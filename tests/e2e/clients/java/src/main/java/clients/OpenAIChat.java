package clients;

import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionMessage;
import com.openai.models.chat.completions.ChatCompletionMessageFunctionToolCall;
import com.openai.models.chat.completions.ChatCompletionMessageToolCall;
import com.openai.models.chat.completions.ChatCompletionToolMessageParam;
import java.util.List;
import java.util.stream.Collectors;

/** Chat Completions by OpenAI's client. */
final class OpenAIChat extends OpenAIClientBase {
  OpenAIChat(Task task) {
    super(task);
  }

  @Override
  public Object chat(String text) {
    return create(asked(text)).content().orElse("");
  }

  @Override
  public Object stream(String text) {
    try (var stream = client.chat().completions().createStreaming(asked(text).build())) {
      return stream.stream()
          .map(chunk -> chunk.choices().get(0).delta().content().orElse(""))
          .collect(Collectors.joining());
    }
  }

  @Override
  public Object tools(String text) {
    var request = asked(text).addTool(GetWeather.class);
    ChatCompletionMessage called = create(request);
    request.addMessage(called);
    for (ChatCompletionMessageToolCall each : called.toolCalls().orElse(List.of())) {
      ChatCompletionMessageFunctionToolCall call = each.asFunction();
      String result = call.function().arguments(GetWeather.class).result();
      request.addMessage(ChatCompletionToolMessageParam.builder().toolCallId(call.id()).content(result).build());
    }
    return create(request).content().orElse("");
  }

  @Override
  public Object structured(String text) {
    var request = asked(text).responseFormat(Trip.class).build();
    return client.chat().completions().create(request).choices().get(0).message().content().orElseThrow();
  }

  private ChatCompletionMessage create(ChatCompletionCreateParams.Builder request) {
    return client.chat().completions().create(request.build()).choices().get(0).message();
  }

  private ChatCompletionCreateParams.Builder asked(String text) {
    return ChatCompletionCreateParams.builder().model(model).addUserMessage(text);
  }
}
