// Official clients for Go, each doing what it is asked.
//
//	clients < tasks > results
//
// A line of the input is a task, a line of the output its result: what was said, or the client's own exception as it
// tells itself. It knows of no test.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
)

type task struct {
	ID      string `json:"id"`
	Client  string `json:"client"`
	Feature string `json:"feature"`
	URL     string `json:"url"`
	Key     string `json:"key"`
	Model   string `json:"model"`
	Text    string `json:"text"`
}

type raised struct {
	Type      string `json:"type"`
	Status    int    `json:"status"`
	Message   string `json:"message"`
	Word      string `json:"word"`
	RequestID string `json:"request_id"`
}

type result struct {
	ID     string  `json:"id"`
	Said   any     `json:"said,omitempty"`
	Raised *raised `json:"raised,omitempty"`
}

// feature does one thing with a client and returns what the model said.
type feature func(ctx context.Context, text string) (any, error)

// client makes the features of one API for a task, and explains its errors.
type client struct {
	features func(task) map[string]feature
	explain  func(error) raised
}

var clients = map[string]client{
	"openai":           {chatCompletions, explainOpenAI},
	"openai-responses": {openAIResponses, explainOpenAI},
	"anthropic":        {anthropicMessages, explainAnthropic},
	"gemini":           {generateContent, explainGemini},
}

var city = map[string]any{
	"type":       "object",
	"properties": map[string]any{"city": map[string]any{"type": "string"}},
	"required":   []string{"city"},
}

var trip = map[string]any{
	"type": "object",
	"properties": map[string]any{
		"city": map[string]any{"type": "string"},
		"days": map[string]any{"type": "integer"},
	},
	"required":             []string{"city", "days"},
	"additionalProperties": false,
}

// weather is the tool that every client is given; arguments are JSON.
func weather(arguments string) string {
	var asked struct{ City string }
	if err := json.Unmarshal([]byte(arguments), &asked); err != nil {
		return err.Error()
	}
	return "fog in " + asked.City
}

// parsed returns what a text in JSON means.
func parsed(text string, err error) (any, error) {
	var found any
	if err == nil {
		err = json.Unmarshal([]byte(text), &found)
	}
	return found, err
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked task
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		client := clients[asked.Client]
		said, err := client.features(asked)[asked.Feature](context.Background(), asked.Text)
		told := result{ID: asked.ID, Said: said}
		if err != nil {
			explained := client.explain(err)
			explained.Type = fmt.Sprintf("%T", err)
			told = result{ID: asked.ID, Raised: &explained}
		}
		if err := out.Encode(told); err != nil {
			panic(err)
		}
	}
}
