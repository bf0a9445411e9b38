// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"slices"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
	"github.com/traboule/traboule/storage"
)

// The furthest a view can reach is the furthest an argument can say.
const (
	_ = uint(ucan.MaxInt - view.Latest)
	_ = uint(view.Latest - ucan.MaxInt)
	_ = uint(-ucan.MaxInt - view.Earliest)
	_ = uint(view.Earliest + ucan.MaxInt)
)

// errOtherView is why a request for paths of records, or for columns of files,
// is refused: the policies that bound the one say nothing of the other.
var errOtherView = errors.New("what is asked for is not how this data set is seen")

// grantView makes a grant one of a view and of what is coarser. The spec is one
// that [view.View.Spec] spelled.
func grantView(g grant.Grant, spec view.Spec) grant.Grant {
	g.Paths, g.Columns, g.Rows = nil, slices.Clone(spec.Columns), slices.Clone(spec.Rows)
	g.From, g.To = nil, nil
	if spec.From != view.Earliest {
		g.From = &spec.From
	}
	if spec.To != view.Latest {
		g.To = &spec.To
	}
	g.Period, g.Grid = int64(spec.Period), int64(spec.Grid)
	return g
}

// isOnRecords says whether a grant bounds what is seen of records.
func isOnRecords(g grant.Grant) bool { return len(g.Columns) > 0 }

// grantedView is the whole of what a grant on records allows to see: the
// finest there is under it.
func grantedView(g grant.Grant) view.Spec {
	spec := view.Spec{
		Columns: slices.Clone(g.Columns), Rows: slices.Clone(g.Rows), From: view.Earliest, To: view.Latest,
		Period: view.Period(g.Period), Grid: view.Grid(g.Grid),
	}
	if g.From != nil {
		spec.From = *g.From
	}
	if g.To != nil {
		spec.To = *g.To
	}
	return spec
}

// askView makes arguments ask for a view.
func askView(a grant.ReadArgs, spec view.Spec) grant.ReadArgs {
	a.Paths, a.Columns, a.Rows = []string{}, slices.Clone(spec.Columns), slices.Clone(spec.Rows)
	a.From, a.To, a.Period, a.Grid = spec.From, spec.To, int64(spec.Period), int64(spec.Grid)
	return a
}

// askedView is the view that arguments ask for.
func askedView(a grant.ReadArgs) view.Spec {
	return view.Spec{Columns: a.Columns, Rows: a.Rows, From: a.From, To: a.To, Period: view.Period(a.Period), Grid: view.Grid(a.Grid)}
}

// shapeOf tells the views that arguments ask for from one another.
func shapeOf(a grant.ReadArgs) []string {
	if len(a.Columns) == 0 {
		return a.Paths
	}
	shape := append(slices.Clone(a.Columns), "")
	return append(append(shape, a.Rows...), fmt.Sprint(a.From, a.To, a.Period, a.Grid))
}

// checkKind refuses to show records as files, and files as records.
func checkKind(kind string, a grant.ReadArgs) error {
	if (kind == storage.KindRecords) != (len(a.Columns) > 0) {
		return errOtherView
	}
	return nil
}

// kindOf is what a data set of this node holds, "" for none.
func (n *Node) kindOf(dataset crypto.DID) string {
	d, _ := n.vault.Lookup(string(dataset)) // what is not there has no kind
	return d.Kind
}

// viewProblem is what people are told of a view that cannot be.
func viewProblem(e *view.Error) *problem.Problem {
	args := make([]string, 0, 2*len(e.Args))
	for name, value := range e.Args {
		args = append(args, name, value)
	}
	return problem.New(problem.Usage, "view."+e.Code, args...)
}
