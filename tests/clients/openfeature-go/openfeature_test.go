// Package openfeature runs OpenFeature's Go SDK with its OFREP provider against a running server: every type, every
// reason, errors, live change.
package openfeature

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"testing"

	"github.com/open-feature/go-sdk-contrib/providers/ofrep"
	of "github.com/open-feature/go-sdk/openfeature"
)

var (
	url   = required("FEATURED_URL")
	token = required("FEATURED_OPENFEATURE_TOKEN")
	ctx   = context.Background()
)

func required(name string) string {
	value := os.Getenv(name)
	if value == "" {
		panic(name + " is not set: start the suites with tests/clients/run.sh")
	}
	return value
}

// connect gives a client of a provider of its own.
func connect(t *testing.T, domain, header, value string) *of.Client {
	t.Helper()
	provider := ofrep.NewProvider(url, ofrep.WithHeader(header, value))
	if err := of.SetNamedProviderAndWait(domain, provider); err != nil {
		t.Fatal(err)
	}
	return of.NewClient(domain)
}

func bearer(t *testing.T) *of.Client { return connect(t, t.Name(), "Authorization", "Bearer "+token) }

func user(attributes map[string]any) of.EvaluationContext {
	return of.NewEvaluationContext("u1", attributes)
}

// admin calls the admin API on a feature of openfeature/prod.
func admin(t *testing.T, method, key string, body any) map[string]any {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	path := url + "/api/v1/sites/openfeature/environments/prod/features/" + key
	request, err := http.NewRequest(method, path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		request.Body = http.NoBody
		request.ContentLength = 0
	}
	request.Header.Set("Authorization", "Bearer "+required("FEATURED_PAT"))
	request.Header.Set("Content-Type", "application/json")
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(reply.Body).Decode(&answer); err != nil || reply.StatusCode != 200 {
		t.Fatal(reply.Status, answer, err)
	}
	return answer
}

func rule(t *testing.T, key string, at int) string {
	t.Helper()
	rules := admin(t, "GET", key, nil)["rules"].([]any)
	return fmt.Sprint("rule-", rules[at].(map[string]any)["id"])
}

func same(t *testing.T, what string, found, expected any) {
	t.Helper()
	if !reflect.DeepEqual(found, expected) {
		t.Errorf("%s: %#v, not %#v", what, found, expected)
	}
}

func TestEveryType(t *testing.T) {
	client := bearer(t)
	boolean, err := client.BooleanValue(ctx, "bool-on", false, of.EvaluationContext{})
	same(t, "boolean", []any{boolean, err}, []any{true, nil})
	text, err := client.StringValue(ctx, "text", "", user(nil))
	same(t, "string", []any{text, err}, []any{"grey", nil})
	whole, err := client.IntValue(ctx, "int", 0, user(nil))
	same(t, "int", []any{whole, err}, []any{int64(5), nil})
	fraction, err := client.FloatValue(ctx, "float", 0, user(nil))
	same(t, "float", []any{fraction, err}, []any{2.5, nil})
	object, err := client.ObjectValue(ctx, "object", nil, user(nil))
	same(t, "object", []any{object, err}, []any{map[string]any{
		"theme": "dark", "sizes": []any{1.0, 2.0}, "deep": map[string]any{"on": true},
	}, nil})
	list, err := client.ObjectValue(ctx, "list", nil, user(nil))
	same(t, "list", []any{list, err}, []any{[]any{1.0, "two", true}, nil})
}

func TestEveryReasonWithItsVariant(t *testing.T) {
	client := bearer(t)
	text := func(key string, who of.EvaluationContext) []any {
		details, err := client.StringValueDetails(ctx, key, "code", who)
		return []any{details.Value, details.Reason, details.Variant, err}
	}
	boolean := func(key string, who of.EvaluationContext) []any {
		details, err := client.BooleanValueDetails(ctx, key, true, who)
		return []any{details.Value, details.Reason, details.Variant, err}
	}
	same(t, "static", boolean("bool-on", of.EvaluationContext{}), []any{true, of.StaticReason, "default", nil})
	premium := text("text", user(map[string]any{"plan": "premium"}))
	same(t, "match", premium, []any{"gold", of.TargetingMatchReason, rule(t, "text", 0), nil})
	large := text("text", user(map[string]any{"cart": map[string]any{"total": 12.5}}))
	same(t, "nested", large, []any{"teal", of.TargetingMatchReason, rule(t, "text", 1), nil})
	free := text("text", user(map[string]any{"plan": "free"}))
	same(t, "default", free, []any{"grey", of.DefaultReason, "default", nil})
	split := text("split", user(nil))
	colour := map[any]string{"red": "#f00", "blue": "#00f"}[split[2]]
	same(t, "split", split[:2], []any{colour, of.SplitReason})
	same(t, "share", boolean("share", user(nil)), []any{true, of.SplitReason, rule(t, "share", 0), nil})
	same(t, "nobody", boolean("share", of.EvaluationContext{}), []any{false, of.DefaultReason, "default", nil})
	// This provider gives the value in the code for whatever is off, whether it has one or not.
	same(t, "off", boolean("bool-off", user(nil)), []any{true, of.DisabledReason, "disabled", nil})
	same(t, "silent", text("text-off", user(nil)), []any{"code", of.DisabledReason, "disabled", nil})
}

func TestAStoredContextAndTheOverrideDecideAndSaySo(t *testing.T) {
	client := bearer(t)
	decided := func(key string, who of.EvaluationContext) []any {
		details, err := client.StringValueDetails(ctx, key, "code", who)
		return []any{details.Value, details.Reason, details.Variant, details.FlagMetadata["source"], err}
	}
	vip := of.NewEvaluationContext("vip", map[string]any{"plan": "premium"})
	same(t, "stored", decided("text", vip), []any{"platinum", of.TargetingMatchReason, "context", "CONTEXT", nil})
	same(t, "forced", decided("forced", user(nil)), []any{"taken", of.StaticReason, "override", "OVERRIDE", nil})
}

func TestErrorsEachWithItsCode(t *testing.T) {
	client := bearer(t)
	asked := func(client *of.Client, key string, who of.EvaluationContext) of.ErrorCode {
		details, err := client.BooleanValueDetails(ctx, key, true, who)
		if err == nil || !details.Value || details.Reason != of.ErrorReason {
			t.Errorf("%s: %v %v", key, details, err)
		}
		return details.ErrorCode
	}
	code := func(client *of.Client, key string) of.ErrorCode { return asked(client, key, user(nil)) }
	same(t, "gone", code(client, "gone"), of.FlagNotFoundCode)
	same(t, "slash", code(client, "team/gone"), of.FlagNotFoundCode)
	same(t, "mismatch", code(client, "int"), of.TypeMismatchCode)
	stranger := connect(t, "stranger", "X-API-Key", "alm_env_openfeature_prod_unknown")
	same(t, "stranger", code(stranger, "bool-on"), of.GeneralCode)
	deep := map[string]any{}
	for range 200 {
		deep = map[string]any{"deep": deep}
	}
	same(t, "deep", asked(client, "bool-on", user(deep)), of.InvalidContextCode)
	slow := connect(t, "slow", "Authorization", "Bearer "+required("FEATURED_OPENFEATURE_SLOW_TOKEN"))
	// The first may be answered; nobody minds.
	_, _ = slow.BooleanValue(ctx, "bool-on", true, user(nil))
	same(t, "over its limit", code(slow, "bool-on"), of.GeneralCode)
}

func TestAKeyWithASlashAndTheTokenInTheOtherHeader(t *testing.T) {
	client := connect(t, "api-key", "X-API-Key", token)
	value, err := client.BooleanValue(ctx, "team/new-nav", false, user(nil))
	same(t, "slash", []any{value, err}, []any{true, nil})
}

func TestAChangeIsSeenByTheNextEvaluation(t *testing.T) {
	client := bearer(t)
	live := func() string {
		value, err := client.StringValue(ctx, "live", "", user(nil))
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	same(t, "before", live(), "before")
	t.Cleanup(func() { admin(t, "PATCH", "live", map[string]any{"defaultValue": "before"}) })
	admin(t, "PATCH", "live", map[string]any{"defaultValue": "after"})
	same(t, "after", live(), "after")
}
