package clients;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.errors.OpenAIServiceException;

/** What the APIs of OpenAI's client share. */
abstract class OpenAIClientBase implements Client {
  protected final OpenAIClient client;
  protected final String model;

  OpenAIClientBase(Task task) {
    client = OpenAIOkHttpClient.builder().baseUrl(task.url() + "/v1").apiKey(task.key()).maxRetries(0).build();
    model = task.model();
  }

  @Override
  public Object retrieve() {
    return client.models().retrieve(model).id();
  }

  @Override
  public Raised explain(Exception error) {
    String type = error.getClass().getSimpleName();
    if (error instanceof OpenAIServiceException failed) {
      String id = failed.headers().values("X-Request-Id").stream().findFirst().orElse("");
      return new Raised(type, failed.statusCode(), failed.getMessage(), failed.code().orElse(""), id);
    }
    return new Raised(type, 0, String.valueOf(error.getMessage()), "", "");
  }

  @Override
  public void close() {
    client.close();
  }
}
