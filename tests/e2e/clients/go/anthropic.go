package main

import (
	"context"
	"errors"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
)

func explainAnthropic(err error) raised {
	var failed *anthropic.Error
	if !errors.As(err, &failed) {
		return raised{Message: err.Error()}
	}
	word := string(failed.Type())
	return raised{Status: failed.StatusCode, Message: failed.Message, Word: word, RequestID: failed.RequestID}
}

func anthropicMessages(asked task) map[string]feature {
	client := anthropic.NewClient(option.WithBaseURL(asked.URL), option.WithAPIKey(asked.Key), option.WithMaxRetries(0))
	asking := func(text string) anthropic.MessageNewParams {
		messages := []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(text))}
		return anthropic.MessageNewParams{Model: asked.Model, MaxTokens: 200, Messages: messages}
	}
	create := func(ctx context.Context, request anthropic.MessageNewParams) (string, error) {
		answer, err := client.Messages.New(ctx, request)
		if err != nil {
			return "", err
		}
		return answer.Content[0].Text, nil
	}
	return map[string]feature{
		"chat": func(ctx context.Context, text string) (any, error) {
			return create(ctx, asking(text))
		},
		"stream": func(ctx context.Context, text string) (any, error) {
			said := ""
			stream := client.Messages.NewStreaming(ctx, asking(text))
			for stream.Next() {
				said += stream.Current().Delta.Text
			}
			return said, stream.Err()
		},
		"tools": func(ctx context.Context, text string) (any, error) {
			request := asking(text)
			schema := anthropic.ToolInputSchemaParam{Properties: city["properties"], Required: []string{"city"}}
			request.Tools = []anthropic.ToolUnionParam{anthropic.ToolUnionParamOfTool(schema, "get_weather")}
			called, err := client.Messages.New(ctx, request)
			if err != nil {
				return nil, err
			}
			var results []anthropic.ContentBlockParamUnion
			for _, block := range called.Content {
				results = append(results, anthropic.NewToolResultBlock(block.ID, weather(string(block.Input)), false))
			}
			request.Messages = append(request.Messages, called.ToParam(), anthropic.NewUserMessage(results...))
			return create(ctx, request)
		},
		"structured": func(ctx context.Context, text string) (any, error) {
			request := asking(text)
			request.OutputConfig.Format = anthropic.JSONOutputFormatParam{Schema: trip}
			return parsed(create(ctx, request))
		},
		"retrieve": func(ctx context.Context, _ string) (any, error) {
			return client.Models.Get(ctx, asked.Model, anthropic.ModelGetParams{})
		},
	}
}
