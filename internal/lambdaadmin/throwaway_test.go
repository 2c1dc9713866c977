package lambdaadmin_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambda-guardrail/internal/guard/guardtest"
	"lambda-guardrail/internal/lambdaadmin"
	"lambda-guardrail/internal/lambdatest"
)

const throwawayARN = "arn:aws:lambda:eu-west-1:111122223333:function:throwaway"

// throwaways are the adapter, the real client of the SDK, which sends every call
// once, and what answers it.
func throwaways(transport http.RoundTripper) (*lambdaadmin.Throwaways, *guardtest.Clock) {
	clock := guardtest.NewClock(time.Unix(0, 0))
	return lambdaadmin.NewThrowaways(once(transport), clock), clock
}

func throwaway() lambdaadmin.Throwaway {
	return lambdaadmin.Throwaway{
		Name: "throwaway", Description: "of a test", Role: "arn:aws:iam::111122223333:role/nothing",
		Tags: map[string]string{"drill": "mine"}, Aliases: []string{"one", "two"},
	}
}

func operations(a *lambdatest.Account) (all []string) {
	for _, c := range a.Calls() {
		all = append(all, c.Operation)
	}
	return all
}

func TestThrowawayIsMadeOpenedAndDeleted(t *testing.T) {
	a := lambdatest.New("aws", "eu-west-1", "111122223333")
	f, _ := throwaways(a)
	ctx := t.Context()
	arn, err := f.Make(ctx, throwaway())
	if err != nil || arn != throwawayARN {
		t.Fatalf("made %s, %v", arn, err)
	}
	if n, ok := a.Concurrency("throwaway"); !ok || n != 0 {
		t.Errorf("it may run: %d, %v", n, ok)
	}
	if diff := cmp.Diff([]string{"CreateFunction", "GetFunctionConfiguration", "PutFunctionConcurrency", "CreateAlias", "CreateAlias"}, operations(a)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}

	statement, err := f.Grant(ctx, arn+":one", lambdaadmin.Grant{Sid: "s", Principal: "*", Action: "lambda:InvokeFunction", ViaURL: true})
	want := `{"Sid":"s","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + arn + `:one","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}`
	if err != nil || statement != want || !strings.Contains(a.Policy("throwaway:one"), want) || a.Policy("throwaway") != "" {
		t.Errorf("granted %s, %v", statement, err)
	}
	statement, err = f.Grant(ctx, arn, lambdaadmin.Grant{Sid: "s", Principal: "s3.amazonaws.com", Action: "lambda:InvokeFunction", SourceAccount: "111122223333"})
	if err != nil || !strings.Contains(statement, `"AWS:SourceAccount":"111122223333"`) {
		t.Errorf("granted %s, %v", statement, err)
	}
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
	if err := f.Put(ctx, arn+":two", policy); err != nil || a.Policy("throwaway:two") != policy {
		t.Errorf("put %s, %v", a.Policy("throwaway:two"), err)
	}
	if err := f.MakeURL(ctx, arn+":two"); err != nil {
		t.Error(err)
	}

	for range 2 { // the second time it is gone
		if err := f.Delete(ctx, "throwaway"); err != nil || len(a.Names()) != 0 {
			t.Errorf("deleted: %v, functions %q", err, a.Names())
		}
	}
}

func TestThrowawaysAreFoundByNameAndTag(t *testing.T) {
	a := lambdatest.New("aws", "eu-west-1", "111122223333")
	f, _ := throwaways(a)
	for _, made := range []struct{ name, key, value string }{
		{"drill_a", "drill", "mine"}, {"drill_b", "drill", "other"}, {"drill_c", "other", "mine"}, {"else", "drill", "mine"},
	} {
		if _, err := f.Make(t.Context(), lambdaadmin.Throwaway{Name: made.name, Role: "arn:aws:iam::111122223333:role/nothing", Tags: map[string]string{made.key: made.value}}); err != nil {
			t.Fatal(err)
		}
	}
	a.Seed("drill_untagged", "")
	for i := range 60 { // more than a page
		a.Seed("a"+strings.Repeat("x", i), "")
	}
	got, err := f.Tagged(t.Context(), "drill_", "drill", "mine")
	if diff := cmp.Diff([]string{"drill_a"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// IAM and Lambda take their time with what is new.
func TestThrowawayWaits(t *testing.T) {
	t.Run("for its role", func(t *testing.T) {
		a := lambdatest.New("aws", "eu-west-1", "111122223333")
		refusals := 3
		f, clock := throwaways(transport(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/functions") && refusals > 0 {
				refusals--
				return answer(400, "InvalidParameterValueException", `{"message":"The role defined for the function cannot be assumed by Lambda."}`), nil
			}
			return a.RoundTrip(r)
		}))
		if _, err := f.Make(t.Context(), throwaway()); err != nil || clock.Slept() != 6*time.Second {
			t.Errorf("%v after %s", err, clock.Slept())
		}
	})
	t.Run("until it is active", func(t *testing.T) {
		a := lambdatest.New("aws", "eu-west-1", "111122223333")
		pending := 2
		f, clock := throwaways(transport(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/configuration") && pending > 0 {
				pending--
				return answer(200, "", `{"State":"Pending"}`), nil
			}
			return a.RoundTrip(r)
		}))
		if _, err := f.Make(t.Context(), throwaway()); err != nil || clock.Slept() != 4*time.Second {
			t.Errorf("%v after %s", err, clock.Slept())
		}
	})
}

func TestThrowawayThatCannotBeMade(t *testing.T) {
	tests := []struct {
		name, path string
		status     int
		code, body string
		want       string
	}{
		{"never assumed", "/functions", 400, "InvalidParameterValueException", `{"message":"The role defined for the function cannot be assumed by Lambda."}`, "making the function throwaway: "},
		{"denied", "/functions", 403, "AccessDeniedException", `{}`, "making the function throwaway: "},
		{"failed", "/configuration", 200, "", `{"State":"Failed","StateReasonCode":"InternalError","StateReason":"no"}`, "Lambda failed it: InternalError: no"},
		{"pending for ever", "/configuration", 200, "", `{"State":"Pending"}`, "it is still pending after 2m0s"},
		{"may run", "/concurrency", 403, "AccessDeniedException", `{}`, "keeping everybody from running throwaway: "},
		{"no alias", "/aliases", 403, "AccessDeniedException", `{}`, "making the alias one of throwaway: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := lambdatest.New("aws", "eu-west-1", "111122223333")
			f, _ := throwaways(transport(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, test.path) {
					return answer(test.status, test.code, test.body), nil
				}
				return a.RoundTrip(r)
			}))
			_, err := f.Make(t.Context(), throwaway())
			wants(t, err, test.want)
			if slices.Contains(operations(a), "AddPermission") {
				t.Error("it was opened")
			}
		})
	}
}

func TestThrowawayWhereLambdaBlocksPublicGrants(t *testing.T) {
	a := lambdatest.New("aws", "eu-west-1", "111122223333")
	f, _ := throwaways(a)
	if _, err := f.Make(t.Context(), throwaway()); err != nil {
		t.Fatal(err)
	}
	a.Order(lambdatest.Fault{Operation: "AddPermission", Kind: lambdatest.PublicPolicy}, lambdatest.Fault{Operation: "PutResourcePolicy", Kind: lambdatest.PublicPolicy})
	_, err := f.Grant(t.Context(), throwawayARN, lambdaadmin.Grant{Sid: "s", Principal: "*", Action: "*"})
	for _, err := range []error{err, f.Put(t.Context(), throwawayARN, "{}")} {
		if !errors.Is(err, lambdaadmin.ErrBlocked) {
			t.Errorf("error %v", err)
		}
	}
	if err := f.Put(t.Context(), throwawayARN, "{}"); err == nil || errors.Is(err, lambdaadmin.ErrBlocked) {
		t.Errorf("a malformed policy: error %v", err)
	}
}

func answer(status int, code, text string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"X-Amzn-Errortype": {code}}, Body: body{strings.NewReader(text)}}
}
