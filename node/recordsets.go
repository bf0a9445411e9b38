// SPDX-License-Identifier: Apache-2.0

package node

import (
	"container/list"
	"context"
	"sync"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// recordSets are the data sets of records that were opened last, so that the
// next question about one need not read its log, nor the same segments, again.
type recordSets struct {
	mu    sync.Mutex
	sets  map[storage.Ref]*record.Set // by the root of the version
	asked bool                        // since the last rest
	bytes objectCache

	compacted map[crypto.DID]storage.Ref // the root of the version that came of it
}

// mostSets is how many open sets are kept.
const mostSets = 16

// records opens the newest version of a data set of records, ours or received.
func (n *Node) records(ctx context.Context, d vault.Dataset) (*record.Set, error) {
	head, ok := d.Latest()
	if d.Kind != storage.KindRecords || !ok {
		return nil, problem.New(problem.Usage, "records.not", "name", d.Name)
	}
	return n.recordsAt(ctx, d, head)
}

// recordsAt is records for any head of the data set that is here.
func (n *Node) recordsAt(ctx context.Context, d vault.Dataset, head storage.Head) (*record.Set, error) {
	n.recordSets.mu.Lock()
	set := n.recordSets.sets[head.Root]
	n.recordSets.asked = true
	n.recordSets.mu.Unlock()
	if set != nil {
		return set, nil
	}
	set, err := record.Open(ctx, n.objectsOf(head))
	if err != nil {
		return nil, about(err, "name", d.Name)
	}
	n.recordSets.remember(head, set)
	return set, nil
}

func (s *recordSets) remember(head storage.Head, set *record.Set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sets == nil || len(s.sets) >= mostSets {
		s.sets = map[storage.Ref]*record.Set{}
	}
	s.sets[head.Root] = set
}

// rest lets go of what an idle node does not need, if nobody has asked for it
// since the last call.
func (s *recordSets) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked {
		s.sets = nil
		s.bytes.clear()
	}
	s.asked = false
}

// headObjects reads the objects of one version.
type headObjects struct {
	node *Node
	head storage.Head
}

func (n *Node) objectsOf(head storage.Head) record.Objects { return headObjects{n, head} }

// Get is the whole object at a path. Who gets it must not change it.
func (o headObjects) Get(ctx context.Context, path string) ([]byte, error) {
	key := objectKey{o.head.Root, path}
	if b, ok := o.node.recordSets.bytes.get(key); ok {
		return b, nil
	}
	b, err := o.node.vault.ObjectAt(ctx, o.head, path)
	if err == nil {
		o.node.recordSets.bytes.put(key, b)
	}
	return b, err
}

// objectCache keeps the objects that were read last, in a few MiB.
type objectCache struct {
	mu    sync.Mutex
	order list.List // of objectKey, the one used last in front
	held  map[objectKey]cachedObject
	size  int
}

type objectKey struct {
	root storage.Ref
	path string
}

type cachedObject struct {
	content []byte
	place   *list.Element
}

const (
	mostCached   = 12 << 20 // bytes in all
	mostOfObject = 4 << 20  // bytes of one
)

func (c *objectCache) get(key objectKey) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, ok := c.held[key]
	if ok {
		c.order.MoveToFront(o.place)
	}
	return o.content, ok
}

func (c *objectCache) put(key objectKey, content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.held[key]; there || len(content) > mostOfObject {
		return
	}
	if c.held == nil {
		c.held = map[objectKey]cachedObject{}
	}
	c.held[key] = cachedObject{content, c.order.PushFront(key)}
	for c.size += len(content); c.size > mostCached; {
		oldest := c.order.Back()
		gone := c.order.Remove(oldest).(objectKey)
		c.size -= len(c.held[gone].content)
		delete(c.held, gone)
	}
}

func (c *objectCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order.Init()
	c.held, c.size = nil, 0
}
