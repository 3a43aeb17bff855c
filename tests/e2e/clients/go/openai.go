package main

import (
	"context"
	"errors"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

func openAI(asked task) openai.Client {
	return openai.NewClient(option.WithBaseURL(asked.URL+"/v1"), option.WithAPIKey(asked.Key), option.WithMaxRetries(0))
}

func explainOpenAI(err error) raised {
	var failed *openai.Error
	if !errors.As(err, &failed) {
		return raised{Message: err.Error()}
	}
	id := failed.Response.Header.Get("X-Request-Id")
	return raised{Status: failed.StatusCode, Message: failed.Message, Word: failed.Code, RequestID: id}
}

func chatCompletions(asked task) map[string]feature {
	client := openAI(asked)
	create := func(ctx context.Context, request openai.ChatCompletionNewParams) (openai.ChatCompletionMessage, error) {
		answer, err := client.Chat.Completions.New(ctx, request)
		if err != nil {
			return openai.ChatCompletionMessage{}, err
		}
		return answer.Choices[0].Message, nil
	}
	asking := func(text string) openai.ChatCompletionNewParams {
		messages := []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)}
		return openai.ChatCompletionNewParams{Model: asked.Model, Messages: messages}
	}
	return map[string]feature{
		"chat": func(ctx context.Context, text string) (any, error) {
			message, err := create(ctx, asking(text))
			return message.Content, err
		},
		"stream": func(ctx context.Context, text string) (any, error) {
			said := ""
			stream := client.Chat.Completions.NewStreaming(ctx, asking(text))
			for stream.Next() {
				said += stream.Current().Choices[0].Delta.Content
			}
			return said, stream.Err()
		},
		"tools": func(ctx context.Context, text string) (any, error) {
			request := asking(text)
			function := shared.FunctionDefinitionParam{Name: "get_weather", Parameters: city}
			request.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(function)}
			called, err := create(ctx, request)
			if err != nil {
				return nil, err
			}
			request.Messages = append(request.Messages, called.ToParam())
			for _, call := range called.ToolCalls {
				result := openai.ToolMessage(weather(call.Function.Arguments), call.ID)
				request.Messages = append(request.Messages, result)
			}
			message, err := create(ctx, request)
			return message.Content, err
		},
		"structured": func(ctx context.Context, text string) (any, error) {
			request := asking(text)
			schema := shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "trip", Schema: trip, Strict: openai.Bool(true)}
			request.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: schema}
			message, err := create(ctx, request)
			return parsed(message.Content, err)
		},
		"retrieve": func(ctx context.Context, _ string) (any, error) {
			return client.Models.Get(ctx, asked.Model)
		},
	}
}

func openAIResponses(asked task) map[string]feature {
	client := openAI(asked)
	asking := func(text string) responses.ResponseNewParams {
		input := responses.ResponseNewParamsInputUnion{OfString: openai.String(text)}
		return responses.ResponseNewParams{Model: asked.Model, Input: input}
	}
	create := func(ctx context.Context, request responses.ResponseNewParams) (string, error) {
		answer, err := client.Responses.New(ctx, request)
		if err != nil {
			return "", err
		}
		return answer.OutputText(), nil
	}
	return map[string]feature{
		"chat": func(ctx context.Context, text string) (any, error) {
			return create(ctx, asking(text))
		},
		"stream": func(ctx context.Context, text string) (any, error) {
			said := ""
			stream := client.Responses.NewStreaming(ctx, asking(text))
			for stream.Next() {
				if event := stream.Current(); event.Type == "response.output_text.delta" {
					said += event.Delta
				}
			}
			return said, stream.Err()
		},
		"tools": func(ctx context.Context, text string) (any, error) {
			request := asking(text)
			request.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction("get_weather", city, false)}
			called, err := client.Responses.New(ctx, request)
			if err != nil {
				return nil, err
			}
			var results responses.ResponseInputParam
			for _, item := range called.Output {
				call := item.AsFunctionCall()
				result := responses.ResponseInputItemParamOfFunctionCallOutput(weather(call.Arguments))
				result.OfFunctionCallOutput.CallID = openai.String(call.CallID)
				results = append(results, result)
			}
			request.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: results}
			request.PreviousResponseID = openai.String(called.ID)
			return create(ctx, request)
		},
		"structured": func(ctx context.Context, text string) (any, error) {
			request := asking(text)
			request.Text.Format = responses.ResponseFormatTextConfigParamOfJSONSchema("trip", trip)
			return parsed(create(ctx, request))
		},
	}
}
