// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/traboule/traboule/node/control"
	"github.com/traboule/traboule/node/problem"
)

// A Caller carries an operation out: the node itself in this process, or a
// connection to a running one. An error it returns is a *problem.Problem.
type Caller interface {
	// Call does operation with request (a struct with JSON tags) and fills
	// result (a pointer to one). Progress, which may be nil, is called now and
	// then by one goroutine, never after Call has returned.
	Call(ctx context.Context, operation string, request, result any, progress func(Progress)) error
}

// Progress is how far a long operation has come.
type Progress = control.Progress

// An Operation is one thing that an owner can ask of a node, with the type of
// its request and of its result. The command line, the page and the local API
// all call operations.
type Operation[Q, R any] struct {
	Name string
}

// Do carries the operation out through c.
func (o Operation[Q, R]) Do(ctx context.Context, c Caller, request Q, progress func(Progress)) (R, error) {
	var result R
	err := c.Call(ctx, o.Name, request, &result, progress)
	return result, err
}

// handlers carry the operations out in this process, by name.
var handlers = map[string]func(*Node, context.Context, any, any, func(Progress)) error{}

// operation names a method and lists it among the handlers. A request from
// another process comes as JSON and is answered as JSON.
func operation[Q, R any](name string, method func(*Node, context.Context, Q, func(Progress)) (R, error)) Operation[Q, R] {
	handlers[name] = func(n *Node, ctx context.Context, request, result any, progress func(Progress)) error {
		q, err := decodeRequest[Q](name, request)
		if err != nil {
			return err
		}
		r, err := method(n, ctx, q, progress)
		if err != nil {
			return err
		}
		switch out := result.(type) {
		case *R:
			*out = r
			return nil
		case *json.RawMessage:
			*out, err = json.Marshal(r)
			return err
		}
		return fmt.Errorf("operation %s: cannot answer into %T", name, result)
	}
	return Operation[Q, R]{Name: name}
}

func decodeRequest[Q any](name string, request any) (Q, error) {
	var q Q
	switch in := request.(type) {
	case Q:
		return in, nil
	case json.RawMessage:
		if err := json.Unmarshal(in, &q); err != nil {
			return q, problem.New(problem.Usage, "bad-request", "operation", name).Because(err)
		}
		return q, nil
	}
	return q, fmt.Errorf("operation %s: cannot read a %T", name, request)
}

// Call carries an operation out in this process. See [Caller].
func (n *Node) Call(ctx context.Context, name string, request, result any, progress func(Progress)) error {
	handle, ok := handlers[name]
	if !ok {
		return problem.New(problem.Usage, "unknown-operation", "operation", name)
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	err := handle(n, ctx, request, result, progress)
	n.kits.touch()
	if err != nil {
		return explain(err)
	}
	return nil
}
