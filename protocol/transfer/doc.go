// SPDX-License-Identifier: Apache-2.0

// Package transfer moves a head and the blocks below it from the node that
// has them to a node that was granted them: one request, one stream.
//
// Participants: the server, a node with a data set, and the client, a node
// that holds an invocation for it. Both know who the other is: the stream
// proves it.
//
// Goals: the client gets the sealed head and then just the blocks that it
// asks for by name, each checked against its name before it is used, at the
// speed of the line and in bounded memory; what it already has is never sent
// again, wherever an earlier stream was cut. A stranger gets one answer, the
// same bytes after the same delay. Cancelling the server's context stops it:
// no byte is written after [Serve] returns.
//
// Non-goals: it does not decide who may read what ([Handler] does), does not
// look inside heads, pages or blocks and so does not know which names to want
// (the caller of [Session.Fetch] does: pages level by level, then the data),
// and it seals and opens nothing. It does not push: frames for subscriptions
// and receipts are reserved.
//
//	server                                          client
//	                      Hello{versions, clock}
//	   GREETED   ───────────────────────────────►
//	                      Request{invocation, …}
//	   ASKED     ◄───────────────────────────────
//	      │               Refused{code}
//	      ├──────────────────────────────────────►     REFUSED
//	      ▼               Answer{sealed head}
//	   SERVING   ───────────────────────────────►      OPEN
//	    ▲    │            Want{names} …
//	    │    │   ◄───────────────────────────────
//	    │    ▼            Block | Missing, in the order of the wants
//	    └──  ●   ────────────────────────────────►
//	         │            Done{blocks, bytes}
//	   ENDING    ◄───────────────────────────────
//	                      End{blocks, bytes}
//	   ENDED     ───────────────────────────────►      ENDED
//
// Refused may take the place of anything that the server sends after Hello
// and ends the stream. The ways in are [Serve] and [Open]; the normative page
// is protocol/spec/transfer.md.
package transfer
