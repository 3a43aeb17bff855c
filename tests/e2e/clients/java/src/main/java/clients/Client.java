package clients;

/** One API of a client. Each feature returns what the model said. */
interface Client extends AutoCloseable {
  Object chat(String text) throws Exception;

  Object stream(String text) throws Exception;

  /** Runs a whole turn: the model calls the weather, gets its result and answers. */
  Object tools(String text) throws Exception;

  Object structured(String text) throws Exception;

  Object retrieve() throws Exception;

  Raised explain(Exception error);

  @Override
  void close();
}
