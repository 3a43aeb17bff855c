/** Google's client: content generation. */

import { GoogleGenAI } from "@google/genai";

import { CITY, TRIP, weather } from "./weather.js";

// The message of the client's exception is the body as JSON, of one in a stream behind a few words.
const explain = ({ status, message }) => {
  const { error } = JSON.parse(message.slice(message.indexOf("{")));
  const info = error.details.find((detail) => detail["@type"].endsWith("google.rpc.RequestInfo"));
  return { status, message, word: error.status, request_id: info?.requestId };
};

export function generateContent({ url, key, model }) {
  const { models } = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } });
  const tools = [{ functionDeclarations: [{ name: "get_weather", parametersJsonSchema: CITY }] }];
  return {
    explain,
    chat: async (contents) => (await models.generateContent({ model, contents })).text,
    async stream(contents) {
      let said = "";
      for await (const chunk of await models.generateContentStream({ model, contents })) {
        said += chunk.text ?? "";
      }
      return said;
    },
    async tools(text) {
      const asked = { role: "user", parts: [{ text }] };
      const called = await models.generateContent({ model, contents: [asked], config: { tools } });
      const parts = called.functionCalls.map(({ id, name, args }) => ({
        functionResponse: { id, name, response: { output: weather(args) } },
      }));
      const contents = [asked, called.candidates[0].content, { role: "user", parts }];
      return (await models.generateContent({ model, contents, config: { tools } })).text;
    },
    async structured(contents) {
      const config = { responseMimeType: "application/json", responseJsonSchema: TRIP };
      return JSON.parse((await models.generateContent({ model, contents, config })).text);
    },
    retrieve: () => models.get({ model }),
  };
}
