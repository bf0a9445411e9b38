// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/protocol"
)

// Handler decides who may read, and opens the passage.
type Handler interface {
	// Open checks a request of peer and makes ready what it may read. What
	// the owner's journal has to say is on disk when it returns. A
	// *protocol.Refusal in its error is told to the peer; any other error
	// becomes Denied. It is called once for each stream.
	//
	// To end the stream later (a revocation), cancel the context that was
	// given to Serve; to end it with a reason (an expiry), let Block return
	// a *protocol.Refusal.
	Open(ctx context.Context, peer crypto.DID, r Request) (Passage, error)
}

// Passage is what one stream may read. It is used by one goroutine.
type Passage interface {
	// Head is the sealed head, at most MaxHead bytes; empty if the client
	// holds the newest.
	Head() []byte

	// Block returns the ciphertext of a block, in dst's memory if it has the
	// capacity (dst[:0] may be appended to). The result is not used after the
	// next call. It returns ErrNotGranted for a name outside the granted
	// manifest, stored here or not, and ErrMissing for a block that should be
	// here and is not.
	Block(ctx context.Context, name crypto.BlockName, dst []byte) ([]byte, error)

	// Close is called once, after the last Block.
	Close()
}

// ServerOptions bound what a client may cost; the zero value is right.
type ServerOptions struct {
	Delay time.Duration    // before a denial; 0 is protocol.DenialDelay
	Idle  time.Duration    // the longest wait for a request or a want; 0 is 60 s
	Write time.Duration    // the longest that 128 KiB may take to leave; 0 is 30 s
	Wants int              // most wants that wait to be answered; 0 is 4,096
	Now   func() time.Time // the clock in Hello; nil is time.Now
}

func (o ServerOptions) filled() ServerOptions {
	if o.Idle == 0 {
		o.Idle = 60 * time.Second
	}
	if o.Write == 0 {
		o.Write = 30 * time.Second
	}
	if o.Wants == 0 {
		o.Wants = 4096
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// batch is how many bytes of small blocks leave in one write, and stride the
// most bytes in any one write: the larger parts of a block leave unbuffered.
const (
	batch  = 64 << 10
	stride = 128 << 10
)

// Serve has the whole conversation with the client at the other end of s, and
// ends the stream. When ctx ends it resets the stream; when it returns it has
// stopped writing. The error says what became of it, for the owner's log; nil
// means that the client said Done.
func Serve(ctx context.Context, s protocol.Stream, h Handler, opt ServerOptions) error {
	w := protocol.NewWatch(ctx, s)
	defer w.Close()
	v := &server{stream: s, watch: w, opt: opt.filled(), in: bufio.NewReader(s)}
	v.out = bufio.NewWriterSize(pacedWriter{v}, batch)
	if err := v.converse(h); err != nil {
		if !errors.As(err, new(answered)) {
			err = w.Reason(err)
			_ = s.Reset()
		}
		return fmt.Errorf("transfer to %s: %w", s.Peer(), err)
	}
	return s.Close()
}

type server struct {
	stream protocol.Stream
	watch  *protocol.Watch
	opt    ServerOptions
	in     *bufio.Reader
	out    *bufio.Writer
	sent   countBody
	buf    []byte // the last block
}

// answered is an error that the peer was told of, as far as it may know; the
// stream is closed.
type answered struct{ error }

func (a answered) Unwrap() error { return a.error }

func (v *server) converse(h Handler) error {
	hello := canonical.MustMarshal(helloBody{Versions: []uint64{Version}, Clock: v.opt.Now().Unix()})
	if err := v.send(kindHello, hello); err != nil {
		return err
	}
	request, err := v.readRequest()
	asked := time.Now()
	if err != nil {
		return v.refuse(asked, err)
	}
	passage, err := h.Open(v.watch.Context(), v.stream.Peer(), request)
	if err != nil {
		return v.refuse(asked, err)
	}
	defer passage.Close()
	head := passage.Head()
	if len(head) > MaxHead {
		return v.refuse(asked, fmt.Errorf("%w: a head of %d bytes", &protocol.Refusal{Code: protocol.Failed}, len(head)))
	}
	if err := v.send(kindAnswer, head); err != nil {
		return err
	}
	return v.serve(passage)
}

func (v *server) readRequest() (Request, error) {
	defer v.watch.Within(v.opt.Idle, ErrSlow)()
	kind, body, err := protocol.ReadFrame(v.in, maxRequest, nil)
	if err != nil {
		return Request{}, err
	}
	if kind != kindRequest {
		return Request{}, fmt.Errorf("%w: frame %d where a request belongs", ErrLied, kind)
	}
	return parseRequest(body)
}

// refuse tells the peer what it may know about err.
func (v *server) refuse(asked time.Time, err error) error {
	if v.watch.Context().Err() != nil {
		return err
	}
	if flushErr := v.out.Flush(); flushErr != nil {
		return flushErr
	}
	limit := v.opt.Delay + protocol.DenialDelay + v.opt.Write
	defer v.watch.Within(limit, ErrSlow)()
	return answered{protocol.Refuse(v.watch.Context(), v.stream, asked, v.opt.Delay, err)}
}

// serve answers wants until Done. One goroutine reads them ahead.
func (v *server) serve(p Passage) error {
	ctx, stop := context.WithCancel(v.watch.Context())
	defer stop()
	wants := newWants(ctx, v.opt.Wants)
	read := make(chan struct{})
	go func() {
		defer close(read)
		wants.close(v.readWants(wants))
	}()
	err := v.answer(p, wants)
	stop() // a reader that waits for room stops, and one that reads:
	if err != nil && !errors.As(err, new(answered)) {
		v.watch.Drop(err)
	}
	<-read
	return err
}

// readWants ends at Done with nil, else with why.
func (v *server) readWants(wants *wants) error {
	buf := make([]byte, maxClient)
	for {
		kind, body, err := protocol.ReadFrame(v.in, maxClient, buf)
		switch {
		case errors.Is(err, protocol.ErrBadFrame) || errors.Is(err, protocol.ErrFrameTooLarge):
			return fmt.Errorf("%w: %w", &protocol.Refusal{Code: protocol.Malformed}, err)
		case err == io.EOF:
			return fmt.Errorf("wait for wants: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return err
		}
		switch kind {
		case kindWant:
			err = parseWant(body, wants.put)
		case kindDone:
			if _, err = parseCount(body); err == nil {
				return nil
			}
		case kindReceiptWindow, kindReceipt, kindSubscribe, kindNewHead:
			return fmt.Errorf("frame %d: %w", kind, &protocol.Refusal{Code: protocol.Unsupported})
		default:
			err = fmt.Errorf("%w: frame %d where a want belongs", ErrLied, kind)
		}
		switch {
		case errors.Is(err, errFull):
			return err
		case err != nil:
			return fmt.Errorf("%w: %w", &protocol.Refusal{Code: protocol.Malformed}, err)
		}
	}
}

// answer sends blocks in the order of the wants, then End.
func (v *server) answer(p Passage, wants *wants) error {
	for {
		name, ok := wants.ready()
		if !ok {
			var err error
			if name, err = v.wait(wants); err == io.EOF {
				break
			} else if err != nil {
				return v.endWith(err)
			}
		}
		if err := v.block(p, name); err != nil {
			return v.endWith(err)
		}
	}
	if err := v.send(kindEnd, canonical.MustMarshal(v.sent)); err != nil {
		return err
	}
	return nil
}

// wait sends what is buffered and waits for a want; io.EOF is Done.
func (v *server) wait(wants *wants) (crypto.BlockName, error) {
	if err := v.out.Flush(); err != nil {
		return crypto.BlockName{}, err
	}
	defer v.watch.Within(v.opt.Idle, ErrSlow)()
	return wants.wait()
}

// endWith tells a client that was admitted why it ends, if there is a reason
// that travels.
func (v *server) endWith(err error) error {
	var refusal *protocol.Refusal
	if errors.As(err, &refusal) {
		return v.refuse(time.Now(), err)
	}
	return err
}

func (v *server) block(p Passage, name crypto.BlockName) error {
	if v.watch.Context().Err() != nil {
		return context.Cause(v.watch.Context())
	}
	data, err := p.Block(v.watch.Context(), name, v.buf[:0])
	switch {
	case errors.Is(err, ErrMissing):
		return v.put(protocol.AppendFrame(nil, kindMissing, name[:]))
	case errors.Is(err, ErrNotGranted):
		return fmt.Errorf("%w: block %s: %w", &protocol.Refusal{Code: protocol.Outside}, name, err)
	case err != nil && !errors.As(err, new(*protocol.Refusal)):
		return fmt.Errorf("%w: block %s: %w", &protocol.Refusal{Code: protocol.Failed}, name, err)
	case err != nil:
		return err
	case len(data) == 0 || len(data) > crypto.MaxBlock:
		return fmt.Errorf("%w: block %s has %d bytes", &protocol.Refusal{Code: protocol.Failed}, name, len(data))
	}
	if cap(data) > cap(v.buf) {
		v.buf = data
	}
	if err := v.put(appendBlockHeader(make([]byte, 0, 64), name, len(data))); err != nil {
		return err
	}
	v.sent.Blocks++
	v.sent.Bytes += uint64(len(data))
	return v.put(data)
}

func (v *server) put(p []byte) error {
	_, err := v.out.Write(p)
	return err
}

func (v *server) send(kind protocol.Kind, body []byte) error {
	if err := protocol.WriteFrame(v.out, kind, body); err != nil {
		return err
	}
	return v.out.Flush()
}

// pacedWriter writes in strides, and drops a client that is slow to take one.
type pacedWriter struct{ *server }

func (w pacedWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		if err := w.watch.Context().Err(); err != nil {
			return written, context.Cause(w.watch.Context())
		}
		done := w.watch.Within(w.opt.Write, ErrSlow)
		n, err := w.stream.Write(p[:min(len(p), stride)])
		done()
		written += n
		if err != nil {
			return written, err
		}
		p = p[n:]
	}
	return written, nil
}
