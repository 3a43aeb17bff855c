package clients;

/** What a schema asks for. */
final class Trip {
  public String city;
  public int days;
}
