/** OpenAI's client: Chat Completions and Responses. */

import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";

import { CITY, TripZod, weather } from "./weather.js";

const connect = ({ url, key }) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const explain = ({ status, message, code, requestID }) => ({ status, message, word: code, request_id: requestID });

export function chatCompletions({ model, ...task }) {
  const client = connect(task);
  const tools = [{ type: "function", function: { name: "get_weather", parameters: CITY } }];
  const asked = (content) => ({ model, messages: [{ role: "user", content }] });
  return {
    explain,
    chat: async (text) => (await client.chat.completions.create(asked(text))).choices[0].message.content,
    async stream(text) {
      let said = "";
      for await (const chunk of await client.chat.completions.create({ ...asked(text), stream: true })) {
        said += chunk.choices[0].delta.content ?? "";
      }
      return said;
    },
    async tools(text) {
      const request = { ...asked(text), tools };
      const called = (await client.chat.completions.create(request)).choices[0].message;
      const results = called.tool_calls.map((call) => ({
        role: "tool",
        tool_call_id: call.id,
        content: weather(JSON.parse(call.function.arguments)),
      }));
      const messages = [...request.messages, called, ...results];
      return (await client.chat.completions.create({ ...request, messages })).choices[0].message.content;
    },
    async structured(text) {
      const request = { ...asked(text), response_format: zodResponseFormat(TripZod, "trip") };
      return (await client.chat.completions.parse(request)).choices[0].message.parsed;
    },
    retrieve: () => client.models.retrieve(model),
  };
}

export function responses({ model, ...task }) {
  const client = connect(task);
  const tools = [{ type: "function", name: "get_weather", parameters: CITY, strict: false }];
  return {
    explain,
    chat: async (input) => (await client.responses.create({ model, input })).output_text,
    async stream(input) {
      let said = "";
      for await (const event of await client.responses.create({ model, input, stream: true })) {
        said += event.type === "response.output_text.delta" ? event.delta : "";
      }
      return said;
    },
    async tools(input) {
      const called = await client.responses.create({ model, input, tools });
      const results = called.output.map((call) => ({
        type: "function_call_output",
        call_id: call.call_id,
        output: weather(JSON.parse(call.arguments)),
      }));
      const request = { model, input: results, tools, previous_response_id: called.id };
      return (await client.responses.create(request)).output_text;
    },
    async structured(input) {
      const text = { format: zodTextFormat(TripZod, "trip") };
      return (await client.responses.parse({ model, input, text })).output_parsed;
    },
  };
}
