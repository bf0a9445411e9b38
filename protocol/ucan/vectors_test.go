// SPDX-License-Identifier: Apache-2.0

package ucan_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/protocol/ucan"
)

var update = flag.Bool("update", false, "write protocol/spec/vectors/ucan.json anew")

var vectorFile = filepath.Join("..", "spec", "vectors", "ucan.json")

// vector is one case of protocol/spec/vectors/ucan.json. Bytes are base64.
type vector struct {
	Name   string   `json:"name"`
	Layer  string   `json:"layer"`            // which layer decides: always "ucan" here
	Kind   string   `json:"kind"`             // delegation, invocation, chain, policy or revocation
	Token  string   `json:"token,omitempty"`  // the token judged
	Proofs []string `json:"proofs,omitempty"` // of a chain: what was brought; of a revocation: the chain in use
	Time   int64    `json:"time,omitempty"`   // of a chain: Unix seconds
	Policy string   `json:"policy,omitempty"` // DAG-CBOR
	Args   string   `json:"args,omitempty"`   // DAG-CBOR
	Want   string   `json:"want"`             // ok, a kind of refusal, or (of a revocation) counts or stranger
	Note   string   `json:"note,omitempty"`
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func unb64(t *testing.T, s string) []byte { return must2(base64.StdEncoding.DecodeString(s))(t) }

// outcome judges a vector from its bytes alone.
func (v vector) outcome(t *testing.T) string {
	t.Helper()
	var err error
	switch v.Kind {
	case "delegation":
		_, err = ucan.DecodeDelegation(unb64(t, v.Token))
	case "invocation":
		_, err = ucan.DecodeInvocation(unb64(t, v.Token))
	case "chain":
		err = v.chain(t)
	case "policy":
		err = v.policy(t)
	case "revocation":
		return v.revocation(t)
	default:
		t.Fatalf("%s: kind %q", v.Name, v.Kind)
	}
	return outcomeOf(err)
}

func outcomeOf(err error) string {
	if err == nil {
		return "ok"
	}
	return ucan.KindOf(err).String()
}

func (v vector) brought(t *testing.T) (chain []*ucan.Delegation, err error) {
	t.Helper()
	for _, p := range v.Proofs {
		d, err := ucan.DecodeDelegation(unb64(t, p))
		if err != nil {
			return nil, err
		}
		chain = append(chain, d)
	}
	return chain, nil
}

func (v vector) chain(t *testing.T) error {
	t.Helper()
	inv, err := ucan.DecodeInvocation(unb64(t, v.Token))
	if err != nil {
		return err
	}
	chain, err := v.brought(t)
	if err != nil {
		return err
	}
	proofs := map[cid.Cid]*ucan.Delegation{}
	for _, d := range chain {
		proofs[d.CID()] = d
	}
	return ucan.CheckChain(inv, lookup(proofs), time.Unix(v.Time, 0))
}

func (v vector) policy(t *testing.T) error {
	t.Helper()
	p, err := ucan.DecodeValue(unb64(t, v.Policy))
	if err != nil {
		return err
	}
	args, err := ucan.DecodeValue(unb64(t, v.Args))
	if err != nil {
		return err
	}
	parsed, err := ucan.ParsePolicy(p)
	if err != nil {
		return &ucan.Error{Kind: ucan.InvalidClaim, Proof: ucan.NoProof, Cause: err}
	}
	if err := parsed.Match(args); err != nil {
		return &ucan.Error{Kind: ucan.MatchError, Proof: ucan.NoProof, Cause: err}
	}
	return nil
}

func (v vector) revocation(t *testing.T) string {
	t.Helper()
	inv, err := ucan.DecodeInvocation(unb64(t, v.Token))
	if err != nil {
		return outcomeOf(err)
	}
	r, err := ucan.ParseRevocation(inv)
	if err != nil {
		return outcomeOf(err)
	}
	chain, err := v.brought(t)
	if err != nil {
		return outcomeOf(err)
	}
	if r.Counts(chain) {
		return "counts"
	}
	return "stranger"
}

// TestVectors checks that the published vectors are the tables of this
// package's tests, and that each one judged from its bytes comes out as said.
func TestVectors(t *testing.T) {
	vectors := allVectors(t)
	if *update {
		data := must2(json.MarshalIndent(vectorDocument{vectorComment, vectors}, "", "  "))(t)
		if err := os.WriteFile(vectorFile, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var published vectorDocument
	if err := json.Unmarshal(must2(os.ReadFile(vectorFile))(t), &published); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(published.Vectors, vectors); diff != "" {
		t.Errorf("the published vectors are not those of the tests (go test -update writes them):\n%s", diff)
	}
	seen := map[string]bool{}
	for _, v := range published.Vectors {
		if seen[v.Name] {
			t.Errorf("two vectors are named %q", v.Name)
		}
		seen[v.Name] = true
		if got := v.outcome(t); got != v.Want {
			t.Errorf("%s: %s, want %s", v.Name, got, v.Want)
		}
	}
	t.Logf("%d vectors", len(published.Vectors))
}

type vectorDocument struct {
	Comment string   `json:"comment"`
	Vectors []vector `json:"vectors"`
}

const vectorComment = "Vectors of protocol/spec/tokens.md, CC BY 4.0. Bytes are base64 of DAG-CBOR. " +
	"Kinds: delegation and invocation are decoded; chain is checked at time with the proofs brought; " +
	"policy is matched against args; revocation is read and set against the chain in use. " +
	"The key pairs are made from the seeds SHA2-256(\"test key of \" + name)."
