package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"google.golang.org/genai"
)

func explainGemini(err error) raised {
	var failed genai.APIError
	if !errors.As(err, &failed) {
		return raised{Message: err.Error()}
	}
	told := raised{Status: failed.Code, Message: failed.Message, Word: failed.Status}
	for _, detail := range failed.Details {
		if kind, _ := detail["@type"].(string); strings.HasSuffix(kind, "google.rpc.RequestInfo") {
			told.RequestID, _ = detail["requestId"].(string)
		}
	}
	return told
}

func generateContent(asked task) map[string]feature {
	client, err := genai.NewClient(context.Background(), &genai.ClientConfig{
		APIKey:      asked.Key,
		Backend:     genai.BackendGeminiAPI,
		HTTPOptions: genai.HTTPOptions{BaseURL: asked.URL},
	})
	if err != nil {
		panic(err)
	}
	create := func(
		ctx context.Context, contents []*genai.Content, config *genai.GenerateContentConfig,
	) (string, error) {
		answer, err := client.Models.GenerateContent(ctx, asked.Model, contents, config)
		if err != nil {
			return "", err
		}
		return answer.Text(), nil
	}
	return map[string]feature{
		"chat": func(ctx context.Context, text string) (any, error) {
			return create(ctx, genai.Text(text), nil)
		},
		"stream": func(ctx context.Context, text string) (any, error) {
			said := ""
			for chunk, err := range client.Models.GenerateContentStream(ctx, asked.Model, genai.Text(text), nil) {
				if err != nil {
					return nil, err
				}
				said += chunk.Text()
			}
			return said, nil
		},
		"tools": func(ctx context.Context, text string) (any, error) {
			declared := []*genai.FunctionDeclaration{{Name: "get_weather", ParametersJsonSchema: city}}
			config := &genai.GenerateContentConfig{Tools: []*genai.Tool{{FunctionDeclarations: declared}}}
			contents := genai.Text(text)
			called, err := client.Models.GenerateContent(ctx, asked.Model, contents, config)
			if err != nil {
				return nil, err
			}
			var results []*genai.Part
			for _, call := range called.FunctionCalls() {
				arguments, err := json.Marshal(call.Args)
				if err != nil {
					return nil, err
				}
				result := genai.NewPartFromFunctionResponse(call.Name, map[string]any{"output": weather(string(arguments))})
				result.FunctionResponse.ID = call.ID
				results = append(results, result)
			}
			turns := []*genai.Content{called.Candidates[0].Content, genai.NewContentFromParts(results, genai.RoleUser)}
			return create(ctx, append(contents, turns...), config)
		},
		"structured": func(ctx context.Context, text string) (any, error) {
			config := &genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseJsonSchema: trip}
			return parsed(create(ctx, genai.Text(text), config))
		},
		"retrieve": func(ctx context.Context, _ string) (any, error) {
			return client.Models.Get(ctx, asked.Model, nil)
		},
	}
}
