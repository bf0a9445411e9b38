// SPDX-License-Identifier: Apache-2.0
//
// What JavaScript libraries make of our tokens and files, and theirs for us:
// one command, its input and its answer in JSON, driven by the Go tests.

import { createReadStream, createWriteStream, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CarIndexedReader, CarReader, CarWriter } from '@ipld/car'
import { exporter, recursive } from 'ipfs-unixfs-exporter'
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { EdDSASigner } from 'iso-signatures/signers/eddsa.js'
import { verifier } from 'iso-signatures/verifiers/eddsa.js'
import { Resolver } from 'iso-signatures/verifiers/resolver.js'
import { Delegation } from 'iso-ucan/delegation'
import * as Envelope from 'iso-ucan/envelope'
import { Invocation } from 'iso-ucan/invocation'

const verifierResolver = new Resolver({ ...verifier })
const base64 = (bytes) => Buffer.from(bytes).toString('base64')
const unbase64 = (text) => new Uint8Array(Buffer.from(text, 'base64'))

/** Reads and verifies a delegation: what it says, or why it is refused. */
async function delegation(bytes) {
  try {
    const d = await Delegation.from({ bytes, verifierResolver })
    await d.validate({ verifierResolver })
    const { iss, aud, sub, cmd, exp } = d
    return { cid: d.cid.toString(), version: d.envelope.version, iss, aud, sub, cmd, exp, policy: JSON.stringify(d.pol) }
  } catch (error) {
    return { error: String(error.message || error) }
  }
}

/** Our delegations, and of each which bits of a sample can be turned without a refusal. */
async function verify({ tokens, stride }) {
  const answers = []
  for (const token of tokens) {
    const bytes = unbase64(token)
    const answer = await delegation(bytes)
    answer.turned = 0
    answer.accepted = []
    for (let bit = 0; bit < bytes.length * 8; bit += stride) {
      const other = bytes.slice()
      other[bit >> 3] ^= 1 << (bit & 7)
      answer.turned++
      if (!(await delegation(other)).error) answer.accepted.push(bit)
    }
    answers.push(answer)
  }
  return answers
}

/** An invocation of ours with its proofs: whether the chain holds. */
async function invoke({ token, proofs }) {
  const known = new Map()
  for (const proof of proofs) {
    const d = await Delegation.from({ bytes: unbase64(proof), verifierResolver })
    known.set(d.cid.toString(), d)
  }
  const resolveProof = async (cid) => {
    const found = known.get(cid.toString())
    if (!found) throw new Error(`no proof ${cid}`)
    return found
  }
  try {
    const inv = await Invocation.from({ bytes: unbase64(token), verifierResolver, resolveProof })
    return { cid: inv.cid.toString(), proofs: inv.delegations.length }
  } catch (error) {
    return { error: String(error.message || error) }
  }
}

/** Signs claims under a version of the specification. */
async function emit(spec, version, signer, payload) {
  const sealed = await Envelope.sign({ spec, version, signer, payload })
  return Envelope.encode(sealed)
}

/** A chain of three delegations and an invocation of theirs, of version 1.0.0, and one as the library makes it by itself. */
async function make({ now }) {
  const [root, owner, node, guest] = await Promise.all([1, 2, 3, 4].map((n) => EdDSASigner.generate(new Uint8Array(32).fill(n))))
  const party = (signer) => signer.toString()
  const nonce = new Uint8Array(12).fill(7)
  const link = (iss, aud, cmd, pol, exp, more = {}) => ({
    signer: iss,
    payload: { iss: party(iss), aud: party(aud), sub: party(root), cmd, pol, nonce, exp, ...more },
  })
  const links = [
    link(root, owner, '/', [], null),
    link(owner, node, '/dataset', [['==', '.purpose', 'https://example.org/été']], now + 3600, { nbf: now - 60 }),
    link(node, guest, '/dataset/read', [['<=', '.seq', 3], ['all', '.paths', ['like', '.', 'photos/*']]], now + 600, { meta: { purpose: 'a test' } }),
  ]
  const proofs = []
  for (const { signer, payload } of links) proofs.push(await emit('dlg', '1.0.0', signer, payload))
  const read = await Promise.all(proofs.map((bytes) => Delegation.from({ bytes, verifierResolver })))
  const invocation = await emit('inv', '1.0.0', guest, {
    iss: party(guest), aud: party(node), sub: party(root), cmd: '/dataset/read', nonce, exp: now + 60,
    args: { purpose: 'https://example.org/été', seq: 2, paths: ['photos/a', 'photos/b/c'] },
    prf: read.map((d) => d.cid),
  })
  const own = await Delegation.create({ iss: owner, aud: party(node), sub: party(root), cmd: '/dataset', pol: [], exp: now + 3600 })
  return {
    proofs: proofs.map(base64), cids: read.map((d) => d.cid.toString()), invocation: base64(invocation),
    own: { token: base64(own.bytes), cid: own.cid.toString(), version: own.envelope.version },
  }
}

const digest = (bytes) => createHash('sha256').update(bytes).digest('hex')

/** The files of a CAR as the exporter gives them, and each raw section by its CID. */
async function unpack({ path, out }) {
  const reader = await CarIndexedReader.fromFile(path)
  const roots = await reader.getRoots()
  const store = {
    async *get(cid) {
      const block = await reader.get(cid)
      if (!block) throw new Error(`no ${cid} in the file`)
      yield block.bytes
    },
  }
  const files = []
  for await (const { cid, path: at } of recursive(roots[0], store)) {
    const entry = await exporter(cid, store)
    if (entry.type === 'directory') continue
    const name = at.split('/').slice(1).join('/')
    const leaves = []
    const size = Number(entry.size)
    const target = out ? createWriteStream(`${out}/${name}`, { flags: 'wx' }) : undefined
    const hash = createHash('sha256')
    const pieces = async function* () {
      for await (const piece of entry.content()) {
        leaves.push({ hash: digest(piece), size: piece.length })
        hash.update(piece)
        yield piece
      }
    }
    if (target) await pipeline(Readable.from(pieces()), target)
    else for await (const _ of pieces());
    files.push({ name, cid: cid.toString(), size, hash: hash.digest('hex'), leaves })
  }
  const { type } = await exporter(roots[0], store)
  await reader.close()
  const sections = []
  const all = await CarReader.fromIterable(createReadStream(path))
  for await (const { cid, bytes } of all.blocks()) sections.push({ cid: cid.toString(), codec: cid.code, hash: digest(bytes), named: Buffer.from(cid.multihash.digest).toString('hex') })
  return { version: reader.version, roots: roots.map(String), type, files, sections }
}

/** The raw blocks of a CAR once more, as files of their own in a tree that the JavaScript importer makes, in another order. */
async function repack({ from, to }) {
  const blocks = []
  for await (const { cid, bytes } of (await CarReader.fromIterable(createReadStream(from))).blocks()) {
    if (cid.code === 0x55) blocks.push({ cid, bytes })
  }
  blocks.reverse()
  const made = []
  const store = {
    async put(cid, bytes) {
      made.push({ cid, bytes })
      return cid
    },
    async *get(cid) {
      yield made.find((b) => b.cid.equals(cid)).bytes
    },
  }
  const source = blocks.map(({ cid, bytes }) => ({ path: `kept/${cid}`, content: [bytes] }))
  let root
  for await (const entry of importer(source, store, { cidVersion: 1, rawLeaves: true, chunker: fixedSize({ chunkSize: 1048576 }), wrapWithDirectory: false })) root = entry.cid
  const names = new Set(made.map(({ cid }) => cid.toString()))
  const lost = blocks.filter(({ cid }) => !names.has(cid.toString())).length
  const { writer, out } = CarWriter.create([root])
  const done = pipeline(Readable.from(out), createWriteStream(to, { flags: 'wx' }))
  for (const block of made) await writer.put(block)
  await writer.close()
  await done
  const file = await open(to)
  const { size } = await file.stat()
  await file.close()
  return { root: root.toString(), raw: blocks.length, lost, sections: made.length, size }
}

const commands = { verify, invoke, make, unpack, repack }
const [name] = process.argv.slice(2)
const answer = await commands[name](JSON.parse(readFileSync(0, 'utf8')))
process.stdout.write(JSON.stringify(answer))
