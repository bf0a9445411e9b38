// SPDX-License-Identifier: Apache-2.0

package grant_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

var update = flag.Bool("update", false, "write protocol/spec/vectors/profile.json anew")

const vectorFile = "../spec/vectors/profile.json"

// judge says ok, or the rule that a vector lies outside of.
func judge(v vector) (string, error) {
	err := apply(v)
	if err == nil {
		return ok, nil
	}
	if outside, is := errors.AsType[*grant.ProfileError](err); is {
		return string(outside.Rule), err
	}
	return "not a profile error", err
}

func apply(v vector) error {
	switch v.Kind {
	case "path":
		path, err := grant.CanonicalPath(string(v.Bytes))
		if err != nil || path != string(v.Bytes) {
			return &grant.ProfileError{Rule: grant.RulePath, Why: "not canonical"}
		}
		return nil
	case "chain":
		_, err := grant.DecodeChain(v.Tokens)
		return err
	}
	value, err := ucan.DecodeValue(v.Bytes)
	if err != nil {
		return err
	}
	if v.Kind == "args" {
		args, _ := value.AsMap()
		return grant.CheckArguments(ucan.Command(v.Command), args)
	}
	return applyPolicy(ucan.Command(v.Command), value)
}

// applyPolicy judges a policy as the profile does a delegation's: with its
// spelling.
func applyPolicy(command ucan.Command, value ucan.Value) error {
	policy, err := ucan.ParsePolicy(value)
	if err != nil {
		return err
	}
	if err := grant.CheckPolicy(command, policy); err != nil {
		return err
	}
	if !policy.Value().Equal(value) {
		return &grant.ProfileError{Rule: grant.RuleSelector, Why: "spelled otherwise"}
	}
	return nil
}

func TestVectors(t *testing.T) {
	vectors := allVectors(t)
	for _, v := range vectors {
		t.Run(v.Kind+"/"+v.Name, func(t *testing.T) {
			if got, err := judge(v); got != v.Want {
				t.Errorf("got %s (%v), want %s", got, err, v.Want)
			}
		})
	}
	want := encode(t, vectors)
	if *update {
		if err := os.WriteFile(vectorFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s does not say what the tables say; run with -update and look at the difference", vectorFile)
	}
	t.Logf("%d vectors", len(vectors))
}

// encode writes one vector a line.
func encode(t *testing.T, vectors []vector) []byte {
	b := []byte("[\n")
	for i, v := range vectors {
		line, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b = append(append(b, "  "...), line...)
		if i < len(vectors)-1 {
			b = append(b, ',')
		}
		b = append(b, '\n')
	}
	return append(b, "]\n"...)
}

func FuzzParseReadArgs(f *testing.F) {
	for _, v := range argsVectors(f) {
		f.Add(v.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		value, err := ucan.DecodeValue(b)
		if err != nil {
			return
		}
		m, _ := value.AsMap()
		args, err := grant.ParseReadArgs(m)
		if err != nil {
			return
		}
		if again := args.ToMap().Value(); !again.Equal(value) {
			t.Errorf("%x is read as %+v, which is written otherwise", b, args)
		}
	})
}

func FuzzDecodeChain(f *testing.F) {
	c := newCast(f)
	for _, d := range c.chain(c.grant(), 6) {
		f.Add([]byte(d.Bytes()))
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		d, err := ucan.DecodeDelegation(token)
		if err != nil {
			return
		}
		if g, err := grant.Parse(d); err == nil {
			if _, err := grant.Compile(g); err != nil {
				t.Errorf("a grant that was read cannot be said: %v", err)
			}
		}
		_, _ = grant.DecodeChain([][]byte{token})
	})
}
