// openai-go against the server at STRATA_URL; the one at STRATA_KEY_URL asks for the key "right". What the package's
// types demand must be there: required reads them off the types themselves. Run by tests/clients/openai_go_test.py.
package clients

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/respjson"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

const call = "Please make a phone call to Stulor."

var parameters = map[string]any{
	"type":                 "object",
	"properties":           map[string]any{"person_name": map[string]any{"type": "string"}},
	"required":             []string{"person_name"},
	"additionalProperties": false,
}

var tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
	Name:        "phone_person",
	Description: openai.String("Calls a person on the phone."),
	Parameters:  parameters,
})}

func clientOf(variable, key string) *openai.Client {
	made := openai.NewClient(option.WithBaseURL(os.Getenv(variable)+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0))
	return &made
}

func client() *openai.Client { return clientOf("STRATA_URL", "none") }

func asked(text string, maxTokens int64) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:       "pebble",
		Messages:    []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)},
		MaxTokens:   openai.Int(maxTokens),
		Temperature: openai.Float(0),
	}
}

// required fails for each field that the package's type demands and the server did not send, but for those left out.
func required(t *testing.T, value any, leftOut ...string) {
	t.Helper()
	shape := reflect.ValueOf(value)
	present := shape.FieldByName("JSON")
	for i := range shape.NumField() {
		field := shape.Type().Field(i)
		if !strings.Contains(field.Tag.Get("api"), "required") || slices.Contains(leftOut, field.Name) {
			continue
		}
		if sent, ok := present.FieldByName(field.Name).Interface().(respjson.Field); ok && sent.Raw() == "" {
			t.Errorf("%s.%s is missing", shape.Type().Name(), field.Name)
		}
	}
}

func answer(t *testing.T, body openai.ChatCompletionNewParams) *openai.ChatCompletion {
	t.Helper()
	made, err := client().Chat.Completions.New(context.Background(), body)
	if err != nil {
		t.Fatal(err)
	}
	required(t, *made)
	required(t, made.Choices[0])
	required(t, made.Choices[0].Message)
	required(t, made.Usage)
	return made
}

func streamed(t *testing.T, body openai.ChatCompletionNewParams) openai.ChatCompletionAccumulator {
	t.Helper()
	body.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	stream := client().Chat.Completions.NewStreaming(context.Background(), body)
	made := openai.ChatCompletionAccumulator{}
	for stream.Next() {
		required(t, stream.Current())
		if !made.AddChunk(stream.Current()) {
			t.Fatal("a piece does not fit the ones before")
		}
	}
	if stream.Err() != nil {
		t.Fatal(stream.Err())
	}
	return made
}

func TestAnAnswerAndItsStream(t *testing.T) {
	body := asked("Tell me a story", 24)
	whole, pieces := answer(t, body), streamed(t, body)
	if whole.Choices[0].FinishReason != "length" || whole.Usage.CompletionTokens != 24 {
		t.Error(whole.RawJSON())
	}
	if pieces.Choices[0].Message.Content != whole.Choices[0].Message.Content {
		t.Error(pieces.Choices[0].Message.Content, "instead of", whole.Choices[0].Message.Content)
	}
	if pieces.Usage.TotalTokens != whole.Usage.TotalTokens {
		t.Error(pieces.Usage.TotalTokens, "tokens instead of", whole.Usage.TotalTokens)
	}
}

func TestToolsAreCalledAndResultsGoAround(t *testing.T) {
	body := asked(call, 96)
	body.Tools = tools
	choice := answer(t, body).Choices[0]
	if choice.FinishReason != "tool_calls" || len(choice.Message.ToolCalls) == 0 {
		t.Fatal(choice.RawJSON())
	}
	asks := choice.Message.ToolCalls[0]
	if asks.Function.Name != "phone_person" || !json.Valid([]byte(asks.Function.Arguments)) {
		t.Error(choice.RawJSON())
	}
	body.Messages = append(body.Messages, choice.Message.ToParam(), openai.ToolMessage("ready, the code is 52", asks.ID))
	if answer(t, body).Choices[0].Message.Content == "" {
		t.Error("nothing is said of the result")
	}
}

func TestRequiredAndNamedCallsStreamedAsWhole(t *testing.T) {
	named := openai.ChatCompletionNamedToolChoiceFunctionParam{Name: "phone_person"}
	for _, choice := range []openai.ChatCompletionToolChoiceOptionUnionParam{
		{OfAuto: openai.String("required")}, openai.ToolChoiceOptionFunctionToolChoice(named),
	} {
		body := asked("Tell me a story", 200)
		body.Tools, body.ToolChoice = tools, choice
		whole, pieces := answer(t, body).Choices[0].Message, streamed(t, body).Choices[0].Message
		if len(whole.ToolCalls) == 0 || len(whole.ToolCalls) != len(pieces.ToolCalls) {
			t.Fatal(whole.RawJSON())
		}
		for i, each := range whole.ToolCalls {
			if each.Function.Name != "phone_person" || each.Function.Arguments != pieces.ToolCalls[i].Function.Arguments {
				t.Error(each.RawJSON(), "whole,", pieces.ToolCalls[i].Function.Arguments, "in pieces")
			}
		}
	}
}

func TestStructuredOutput(t *testing.T) {
	body := asked("Write this as JSON with the keys name, animal.\nFiffi is the name of a wolf.", 200)
	schema := map[string]any{
		"type": "object",
		"properties": map[string]any{
			"name":   map[string]any{"type": "string", "maxLength": 12},
			"animal": map[string]any{"type": "string", "enum": []string{"wolf", "fox"}},
		},
		"required":             []string{"name", "animal"},
		"additionalProperties": false,
	}
	body.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{
		OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
			Name: "pet", Schema: schema, Strict: openai.Bool(true),
		}},
	}
	var pet struct{ Name, Animal string }
	if err := json.Unmarshal([]byte(answer(t, body).Choices[0].Message.Content), &pet); err != nil || pet.Animal == "" {
		t.Error(err, pet)
	}
}

func TestAResponseAndItsStreamSayWhatTheChatSays(t *testing.T) {
	body := responses.ResponseNewParams{
		Model: "pebble", MaxOutputTokens: openai.Int(24), Temperature: openai.Float(0),
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("Tell me a story")},
	}
	c := client()
	made, err := c.Responses.New(context.Background(), body)
	if err != nil {
		t.Fatal(err)
	}
	required(t, *made, "AccessPrograms") // of OpenAI's own accounts, and optional in its other packages
	if made.OutputText() != answer(t, asked("Tell me a story", 24)).Choices[0].Message.Content {
		t.Error(made.OutputText())
	}
	stream := c.Responses.NewStreaming(context.Background(), body)
	said := ""
	for stream.Next() {
		said += stream.Current().Delta
	}
	if stream.Err() != nil || said != made.OutputText() {
		t.Error(stream.Err(), said)
	}
}

func TestModels(t *testing.T) {
	c := client()
	page, err := c.Models.List(context.Background())
	if err != nil || len(page.Data) != 1 || page.Data[0].ID != "pebble" {
		t.Fatal(err, page)
	}
	required(t, page.Data[0])
	if _, err := c.Models.Get(context.Background(), "pebble"); err != nil {
		t.Error(err)
	}
}

func TestAFileGoesUpAndComesBack(t *testing.T) {
	c, text := client(), `{"custom_id":"1","method":"POST","url":"/v1/completions","body":{}}`+"\n"
	file, err := c.Files.New(context.Background(), openai.FileNewParams{
		File: openai.File(strings.NewReader(text), "in.jsonl", "application/jsonl"), Purpose: openai.FilePurposeBatch,
	})
	if err != nil {
		t.Fatal(err)
	}
	required(t, *file)
	content, err := c.Files.Content(context.Background(), file.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(content.Body); err != nil || string(got) != text {
		t.Error(err, string(got))
	}
	if gone, err := c.Files.Delete(context.Background(), file.ID); err != nil || !gone.Deleted {
		t.Error(err)
	}
}

func refused(t *testing.T, err error, status int, param string) {
	t.Helper()
	var refusal *openai.Error
	if !errors.As(err, &refusal) {
		t.Fatal("no refusal:", err)
	}
	if refusal.StatusCode != status || refusal.Param != param || refusal.Message == "" {
		t.Error(refusal.StatusCode, refusal.Param, refusal.Message)
	}
}

func TestErrors(t *testing.T) {
	c, body := client(), asked("Tell me a story", 24)
	body.TopP = openai.Float(7)
	_, err := c.Chat.Completions.New(context.Background(), body)
	refused(t, err, 400, "top_p")
	body = asked("Tell me a story", 24)
	body.Model = "gpt"
	_, err = c.Chat.Completions.New(context.Background(), body)
	refused(t, err, 404, "model")
	stream := c.Chat.Completions.NewStreaming(context.Background(), body)
	if stream.Next() {
		t.Error("a stream of an unknown model has pieces")
	}
	refused(t, stream.Err(), 404, "model")
	c = clientOf("STRATA_KEY_URL", "wrong")
	_, err = c.Models.List(context.Background())
	refused(t, err, 401, "")
	c = clientOf("STRATA_KEY_URL", "right")
	if _, err = c.Models.List(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestADeadlineIsTheCallersError(t *testing.T) {
	soon, stop := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer stop()
	c := client()
	_, err := c.Chat.Completions.New(soon, asked("Tell me a story", 3500), option.WithJSONSet("ignore_eos", true))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
