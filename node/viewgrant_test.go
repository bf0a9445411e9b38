// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/disk/disktest"
	"github.com/traboule/traboule/storage/record"
)

// viewWorld draws views of the load curve of a home.
type viewWorld struct {
	*rand.Rand
	schema *record.Schema
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// edge is a random edge of the period, among few.
func (w viewWorld) edge(p view.Period) int64 {
	t := time.Date(2026, time.Month(1+w.IntN(24)), 1+w.IntN(3), w.IntN(24), 0, 0, 0, w.schema.Location())
	if p != view.Raw {
		t, _ = p.Bucket(t)
	}
	return t.Unix()
}

func (w viewWorld) spec() view.Spec {
	spec := view.Spec{From: view.Earliest, To: view.Latest, Period: view.Period(w.IntN(6)), Grid: view.Grid(w.IntN(4))}
	columns := []string{"start", "end", "energy/sum", "energy/max", "power/mean"}
	if spec.Period == view.Raw {
		columns = []string{"start", "end", "energy", "power"}
	}
	for len(spec.Columns) == 0 {
		spec.Columns = slices.DeleteFunc(slices.Clone(columns), func(string) bool { return w.IntN(2) == 0 })
	}
	conditions := []string{"energy>1", "power<=500", "energy=0"}
	spec.Rows = []string{"*"}
	if w.IntN(2) == 0 {
		spec.Rows = conditions[:1+w.IntN(3)]
		slices.Sort(spec.Rows)
	}
	if w.IntN(3) > 0 {
		a, b := w.edge(spec.Period), w.edge(spec.Period)
		spec.From, spec.To = min(a, b), max(a, b)
	}
	return spec
}

// bent is a view near another: in one or two things narrower or wider.
func (w viewWorld) bent(spec view.Spec) view.Spec {
	other := w.spec()
	for range 1 + w.IntN(2) {
		switch w.IntN(6) {
		case 0:
			spec.Columns = slices.DeleteFunc(slices.Clone(spec.Columns), func(string) bool { return w.IntN(2) == 0 })
			if len(spec.Columns) == 0 {
				spec.Columns = []string{"start"}
			}
		case 1:
			spec.Columns = other.Columns
		case 2:
			spec.Rows = pick(w.Rand, other.Rows, spec.Rows[:1])
		case 3:
			spec.Period = view.Period(min(5, int(spec.Period)+w.IntN(3)))
		case 4:
			spec.Grid = other.Grid
		case 5:
			spec.From, spec.To = other.From, other.To
		}
	}
	return spec
}

// lies is the reference: whether what is asked lies within what was granted.
func lies(asked, granted view.Spec) bool {
	for _, c := range asked.Columns {
		if !slices.Contains(granted.Columns, c) {
			return false
		}
	}
	for _, c := range asked.Rows {
		if !slices.Contains(granted.Rows, c) {
			return false
		}
	}
	return asked.From >= granted.From && asked.To <= granted.To && asked.Period >= granted.Period && asked.Grid >= granted.Grid
}

// TestViewsAndPolicies: a view becomes a grant and arguments and comes back the
// same, and a grant allows exactly the views that lie within.
func TestViewsAndPolicies(t *testing.T) {
	schema, ok := catalogue.Kind("electricity-load-curve")
	if !ok {
		t.Fatal("no such kind")
	}
	seed := disktest.Seed(t)
	allowed, refused := 0, 0
	for i := range disktest.Runs(t, 3000, 100_000) {
		w := viewWorld{rand.New(rand.NewPCG(seed, uint64(i))), schema}
		v, err := view.Parse(schema, w.spec())
		if err != nil {
			t.Fatal(err)
		}
		granted := v.Spec()
		g := grantView(grant.Grant{
			Dataset: someDID(1), Audience: someDID(2), Purpose: "urn:x:y", Until: time.Unix(2e9, 0),
		}, granted)
		claims, err := grant.Compile(g)
		if err != nil {
			t.Fatalf("run %d: %v", i, err)
		}
		if !isOnRecords(g) {
			t.Fatalf("run %d: %+v is not on records", i, g)
		}
		if diff := cmp.Diff(granted, grantedView(g)); diff != "" {
			t.Fatalf("run %d: granted and read back:\n%s", i, diff)
		}
		asked := granted
		if w.IntN(4) > 0 {
			asked = w.bent(granted)
		}
		args := askView(grant.ReadArgs{Purpose: "urn:x:y", HPKE: make([]byte, crypto.PublicReceiveKeySize)}, asked)
		read, err := grant.ParseReadArgs(args.ToMap())
		if err != nil {
			t.Fatalf("run %d: %v", i, err)
		}
		if diff := cmp.Diff(asked, askedView(read)); diff != "" {
			t.Fatalf("run %d: asked and read:\n%s", i, diff)
		}
		other := askView(args, w.bent(asked))
		if slices.Equal(shapeOf(args), shapeOf(other)) != (fmt.Sprintf("%#v", askedView(args)) == fmt.Sprintf("%#v", askedView(other))) {
			t.Fatalf("run %d: %+v and %+v have the shapes %q and %q", i, args, other, shapeOf(args), shapeOf(other))
		}
		got := claims.Policy.Match(args.ToMap().Value()) == nil
		if got != lies(asked, granted) {
			t.Fatalf("run %d: %+v under %+v: the policy says %v", i, asked, granted, got)
		}
		if got {
			allowed++
		} else {
			refused++
		}
	}
	t.Logf("%d views allowed, %d refused", allowed, refused)
	if allowed < refused/10 || refused < allowed/10 {
		t.Error("the test sees one side only")
	}
}

func someDID(n byte) crypto.DID {
	return must(crypto.NewIdentity(strings.NewReader(strings.Repeat(string(rune(n)), 64)))).DID()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestGrantedViewsAreReadBack: signed and parsed, as the grantee has it.
func TestGrantedViewsAreReadBack(t *testing.T) {
	for _, spec := range []view.Spec{
		{Columns: []string{"start", "energy/sum"}, Rows: []string{"*"}, From: 1767222000, To: view.Latest, Period: view.Day},
		{Columns: []string{"place/1km"}, Rows: []string{"type=a", "type=b"}, From: view.Earliest, To: 0, Grid: view.Kilometre},
		{Columns: []string{"label"}, Rows: []string{"*"}, From: view.Earliest, To: view.Latest},
	} {
		signer := must(crypto.NewIdentity(strings.NewReader(strings.Repeat("x", 64))))
		d, err := grant.Issue(signer, grantView(grant.Grant{
			Dataset: someDID(1), Audience: someDID(2), Purpose: "urn:x:y", Until: time.Unix(2e9, 0),
		}, spec), []byte("0123456789ab"))
		if err != nil {
			t.Fatal(err)
		}
		g, err := grant.Parse(d)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(spec, grantedView(g)); diff != "" {
			t.Error(diff)
		}
	}
}

// TestRecordsAreNotSeenAsFiles: a policy that bounds columns says nothing of
// paths; what a data set is decides.
func TestRecordsAreNotSeenAsFiles(t *testing.T) {
	g := grantView(grant.Grant{Dataset: someDID(1), Audience: someDID(2), Purpose: "urn:x:y", Until: time.Unix(2e9, 0)},
		view.Spec{Columns: []string{"energy"}, Rows: []string{"*"}, From: view.Earliest, To: view.Latest})
	paths := grant.ReadArgs{Paths: []string{""}, Purpose: "urn:x:y", HPKE: make([]byte, crypto.PublicReceiveKeySize)}
	if must(grant.Compile(g)).Policy.Match(paths.ToMap().Value()) != nil {
		t.Error("the policy refuses paths by itself: the check of kinds is not needed any more")
	}
	columns := askView(paths, grantedView(g))
	for _, tt := range []struct {
		kind string
		args grant.ReadArgs
		ok   bool
	}{{"records", paths, false}, {"records", columns, true}, {"files", paths, true}, {"files", columns, false}, {"", columns, false}} {
		if err := checkKind(tt.kind, tt.args); (err == nil) != tt.ok {
			t.Errorf("%v of %q: %v", tt.args, tt.kind, err)
		}
	}
}

// TestViewErrorsHaveSentences: each code in both languages, with no value that
// it does not come with.
func TestViewErrorsHaveSentences(t *testing.T) {
	for _, lang := range []string{"en", "fr"} {
		text, err := os.ReadFile(filepath.Join("messages", lang, "views.txt"))
		if err != nil {
			t.Fatal(err)
		}
		sentences := map[string]string{}
		for _, part := range strings.Split(string(text), "\n[view.")[1:] {
			code, sentence, _ := strings.Cut(part, "]\n")
			sentences[code] = sentence
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(view.Codes)), slices.Sorted(maps.Keys(sentences))); diff != "" {
			t.Errorf("%s: codes and sentences: %s", lang, diff)
		}
		for code, args := range view.Codes {
			rest := sentences[code]
			for _, arg := range args {
				rest = strings.ReplaceAll(rest, "{"+arg+"}", "")
			}
			if strings.Contains(rest, "{") {
				t.Errorf("%s: view.%s names a value that it does not get: %s", lang, code, rest)
			}
		}
	}
	err := about(fmt.Errorf("query: %w", &view.Error{Code: "span", Args: map[string]string{"from": "a", "to": "b"}}))
	if !strings.Contains(err.Error(), "view.span") {
		t.Errorf("told as %v", err)
	}
}
