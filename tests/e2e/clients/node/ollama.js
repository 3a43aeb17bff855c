/** Ollama's client: chat. Its exceptions have no request id. */

import { Ollama } from "ollama";

import { CITY, TRIP, weather } from "./weather.js";

const explain = (error) => ({ status: error.status_code, message: error.message });

export function chat({ url, key, model }) {
  const client = new Ollama({ host: url, headers: { Authorization: `Bearer ${key}` } });
  const tools = [{ type: "function", function: { name: "get_weather", parameters: CITY } }];
  const asked = (content) => ({ model, messages: [{ role: "user", content }] });
  return {
    explain,
    chat: async (text) => (await client.chat(asked(text))).message.content,
    async stream(text) {
      let said = "";
      for await (const part of await client.chat({ ...asked(text), stream: true })) {
        said += part.message.content;
      }
      return said;
    },
    async tools(text) {
      const request = { ...asked(text), tools };
      const called = (await client.chat(request)).message;
      const results = called.tool_calls.map((call) => ({
        role: "tool",
        tool_name: call.function.name,
        content: weather(call.function.arguments),
      }));
      return (await client.chat({ ...request, messages: [...request.messages, called, ...results] })).message.content;
    },
    structured: async (text) => JSON.parse((await client.chat({ ...asked(text), format: TRIP })).message.content),
  };
}
