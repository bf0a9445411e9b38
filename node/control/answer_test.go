// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/traboule/traboule/node/problem"
)

func TestReadAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, body, key string }{
		{"a result", `{"progress":{"step":"scan"}}` + "\n" + `{"result":{"words":"x"}}`, ""},
		{"a problem", `{"problem":{"kind":"busy","key":"vault.busy"}}`, "vault.busy"},
		{"nothing", ``, "node-stopped"},
		{"progress alone", `{"progress":{"step":"scan"}}`, "node-stopped"},
		{"cut", `{"result":{"wor`, "node-stopped"},
		{"no JSON", `hello`, "unexpected"},
		{"an empty line", `{}`, "unexpected"},
		{"another type", `{"result":[1]}`, "unexpected"},
		{"null", `null`, "unexpected"},
	} {
		var got struct{ Words string }
		err := readAnswer(t.Context(), strings.NewReader(tt.body), &got, nil)
		switch found := problem.Of(err); {
		case tt.key == "" && (err != nil || got.Words != "x"):
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		case tt.key != "" && (found == nil || found.Key != tt.key):
			t.Errorf("%s: %v, want %s", tt.name, err, tt.key)
		}
	}
}

// FuzzReadAnswer: whatever answers on the socket, a client ends with a result
// or a problem.
func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"progress":{"step":"scan","done":1}}` + "\n" + `{"result":{}}`, `{"problem":{"kind":"busy","key":"x","args":{"a":"b"}}}`,
		`{}`, `null`, `{"result":`, `[`, `{"progress":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got map[string]any
		err := readAnswer(context.Background(), strings.NewReader(string(body)), &got, func(Progress) {})
		var found *problem.Problem
		if err != nil && !errors.As(err, &found) {
			t.Errorf("it failed with a %T: %v", err, err)
		}
	})
}

// FuzzAnswer: whatever comes in as a request is answered by lines of JSON, of
// which the last is a result or a problem.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"name":"notes"}`))
	f.Add([]byte{0, 0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, pathPrefix+"any", strings.NewReader(string(body)))
		answer(w, r, func(_ context.Context, _ string, request json.RawMessage, progress func(Progress)) (json.RawMessage, error) {
			progress(Progress{Step: "scan"})
			var q map[string]any
			if err := json.Unmarshal(request, &q); err != nil {
				return nil, err
			}
			return request, nil
		})
		var got any
		err := readAnswer(context.Background(), w.Body, &got, nil)
		if valid := json.Unmarshal(body, new(map[string]any)) == nil; valid != (err == nil) {
			t.Errorf("%q is answered with %v, %v", body, got, err)
		}
	})
}
