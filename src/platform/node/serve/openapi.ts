// The API's description, made of the table that serves it.
import { toJsonSchema } from "@valibot/to-json-schema";
import packageJson from "../../../../package.json" with { type: "json" };
import { GUEST_ROUTES, type Route } from "./routes.ts";

const NAME = { in: "path", required: true, schema: { type: "string" } };
const FAULT = {
  description: "Refused: fault_message says what, where, and what to do",
  content: {
    "application/json": {
      schema: { type: "object", properties: { fault_message: { type: "string" } }, required: ["fault_message"] },
    },
  },
};

function operation({ summary, body, method }: Route, names: string[]): Record<string, unknown> {
  return {
    summary,
    parameters: names.map((name) => ({ name, ...NAME })),
    ...(body && {
      requestBody: {
        required: true,
        content: { "application/json": { schema: toJsonSchema(body, { errorMode: "ignore" }) } },
      },
    }),
    responses: {
      ...(method === "GET" || method === "POST" ? { 200: { description: "Done" } } : { 204: { description: "Done" } }),
      default: FAULT,
    },
  };
}

const namesIn = (path: string) => [...path.matchAll(/\{([a-z]+)\}/g)].map((match) => match[1]);

/** OpenAPI 3.1. */
export function openApiDocument(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  const add = (path: string, route: Route) => {
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operation(route, namesIn(path));
  };
  for (const route of GUEST_ROUTES) {
    add(route.path, route);
    add(`/guests/{id}${route.path === "/" ? "" : route.path}`, route);
  }
  const plain = (summary: string) => ({ summary, responses: { 200: { description: "Done" } } });
  paths["/guests"] = { get: plain("All guests") };
  paths["/guests/{id}"].delete = {
    summary: "Ends the guest and forgets it",
    parameters: [{ name: "id", ...NAME }],
    responses: { 204: { description: "Done" }, default: FAULT },
  };
  paths["/version"] = { get: plain("The version of this program") };
  paths["/metrics"] = { get: plain("Figures of all guests in Prometheus's text format") };
  paths["/openapi.json"] = { get: plain("This document") };
  const { version, license } = packageJson;
  return {
    openapi: "3.1.0",
    info: {
      title: "Paravane",
      version,
      license: { name: license },
      description: "One guest at the root, any number under /guests.",
    },
    paths,
  };
}
