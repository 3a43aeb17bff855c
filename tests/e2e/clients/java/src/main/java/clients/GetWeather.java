package clients;

import com.fasterxml.jackson.annotation.JsonClassDescription;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonTypeName;

/** The arguments of the tool that every client is given. */
@JsonTypeName("get_weather")
@JsonClassDescription("The weather of a city.")
final class GetWeather {
  @JsonProperty public String city;

  String result() {
    return weather(city);
  }

  static String weather(String city) {
    return "fog in " + city;
  }
}
