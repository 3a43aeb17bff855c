/** Anthropic's client: Messages. */

import Anthropic from "@anthropic-ai/sdk";

import { CITY, TRIP, weather } from "./weather.js";

const explain = ({ status, message, type, requestID }) => ({ status, message, word: type, request_id: requestID });

export function messages({ url, key, model }) {
  const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
  const tools = [{ name: "get_weather", input_schema: CITY }];
  const asked = (content) => ({ model, max_tokens: 200, messages: [{ role: "user", content }] });
  return {
    explain,
    chat: async (text) => (await client.messages.create(asked(text))).content[0].text,
    async stream(text) {
      let said = "";
      for await (const event of client.messages.stream(asked(text))) {
        said += event.delta?.text ?? "";
      }
      return said;
    },
    async tools(text) {
      const request = { ...asked(text), tools };
      const called = await client.messages.create(request);
      const results = called.content.map((block) => ({
        type: "tool_result",
        tool_use_id: block.id,
        content: weather(block.input),
      }));
      const turns = [{ role: "assistant", content: called.content }, { role: "user", content: results }];
      return (await client.messages.create({ ...request, messages: [...request.messages, ...turns] })).content[0].text;
    },
    async structured(text) {
      const format = { type: "json_schema", schema: TRIP };
      const answer = await client.messages.create({ ...asked(text), output_config: { format } });
      return JSON.parse(answer.content[0].text);
    },
    retrieve: () => client.models.retrieve(model),
  };
}
