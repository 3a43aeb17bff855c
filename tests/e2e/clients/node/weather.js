/** What every client is given to call and to fill in. */

import { z } from "zod";

export const CITY = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
export const CityZod = z.object({ city: z.string() });
export const TRIP = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false,
};
export const TripZod = z.object({ city: z.string(), days: z.number().int() });

export const weather = ({ city }) => `fog in ${city}`;
