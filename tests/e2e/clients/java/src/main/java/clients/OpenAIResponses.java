package clients;

import com.openai.models.responses.Response;
import com.openai.models.responses.ResponseCreateParams;
import com.openai.models.responses.ResponseFunctionToolCall;
import com.openai.models.responses.ResponseInputItem;
import com.openai.models.responses.ResponseOutputItem;
import java.util.List;
import java.util.stream.Collectors;

/** Responses by OpenAI's client. */
final class OpenAIResponses extends OpenAIClientBase {
  OpenAIResponses(Task task) {
    super(task);
  }

  @Override
  public Object chat(String text) {
    return said(client.responses().create(asked().input(text).build()));
  }

  @Override
  public Object stream(String text) {
    try (var stream = client.responses().createStreaming(asked().input(text).build())) {
      return stream.stream()
          .flatMap(event -> event.outputTextDelta().stream())
          .map(event -> event.delta())
          .collect(Collectors.joining());
    }
  }

  @Override
  public Object tools(String text) {
    var request = asked().addTool(GetWeather.class);
    Response called = client.responses().create(request.input(text).build());
    List<ResponseInputItem> results =
        called.output().stream().map(ResponseOutputItem::asFunctionCall).map(OpenAIResponses::result).toList();
    return said(client.responses().create(request.inputOfResponse(results).previousResponseId(called.id()).build()));
  }

  @Override
  public Object structured(String text) {
    var answer = client.responses().create(asked().input(text).text(Trip.class).build());
    return answer.output().get(0).message().orElseThrow().content().get(0).outputText().orElseThrow();
  }

  private ResponseCreateParams.Builder asked() {
    return ResponseCreateParams.builder().model(model);
  }

  private static String said(Response answer) {
    return answer.output().stream()
        .flatMap(item -> item.message().stream())
        .flatMap(message -> message.content().stream())
        .map(content -> content.asOutputText().text())
        .collect(Collectors.joining());
  }

  private static ResponseInputItem result(ResponseFunctionToolCall call) {
    return ResponseInputItem.ofFunctionCallOutput(
        ResponseInputItem.FunctionCallOutput.builder()
            .callId(call.callId())
            .output(call.arguments(GetWeather.class).result())
            .build());
  }
}
