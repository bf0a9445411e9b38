// SPDX-License-Identifier: Apache-2.0
//
// What two readers of Parquet find in our files: DuckDB, in C++, and hyparquet,
// in JavaScript. One command, its input and its answer in JSON, driven by the
// Go tests. Numbers are texts, because they are exact.

import { readFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { DuckDBInstance } from '@duckdb/node-api'
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

/** A number as text, without zeros behind its point that say nothing. */
const plain = (text) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text)

/** n × 10^-scale as text. */
function decimal(n, scale) {
  const digits = (n < 0n ? -n : n).toString().padStart(scale + 1, '0')
  const at = digits.length - scale
  return (n < 0n ? '-' : '') + plain(scale ? `${digits.slice(0, at)}.${digits.slice(at)}` : digits)
}

/** The hash of all values in their order: null, or a text. */
function digest(values) {
  const hash = createHash('sha256')
  for (const v of values) hash.update(v === null ? '-\n' : `${Buffer.byteLength(v)}:${v}\n`)
  return hash.digest('hex')
}

const database = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect()
const quote = (name) => `"${name.replaceAll('"', '""')}"`
const rowsOf = async (sql, ...values) => (await database.runAndReadAll(sql, values)).getRowsJson()

const unhex = (text) => Buffer.from(text, 'hex').toString('utf8')

/** How to ask DuckDB for the number, or the bytes of the text, that a column of a type stores. */
function stored(name, type) {
  if (type === 'TIMESTAMP WITH TIME ZONE') return `epoch_us(${quote(name)})`
  if (type === 'DATE') return `(${quote(name)} - DATE '1970-01-01')`
  if (type === 'VARCHAR') return `hex(${quote(name)})` // its package takes U+FEFF away from texts
  if (type === 'BOOLEAN') return `${quote(name)}::INTEGER`
  return quote(name)
}

async function duckdb(path) {
  const [[rows]] = await rowsOf('SELECT count(*)::VARCHAR FROM read_parquet($1)', path)
  const columns = []
  for (const [name, type] of await rowsOf('DESCRIBE SELECT * FROM read_parquet($1)', path)) {
    const e = stored(name, type)
    const [[known]] = await rowsOf(`SELECT count(${quote(name)})::VARCHAR FROM read_parquet($1)`, path)
    const said = { name, type, known: Number(known) }
    if (type === 'VARCHAR') {
      said.texts = (await rowsOf(`SELECT DISTINCT ${e} FROM read_parquet($1) WHERE ${e} IS NOT NULL`, path)).flat().map(unhex)
    } else {
      const [numbers] = await rowsOf(`SELECT sum(${e})::VARCHAR, min(${e})::VARCHAR, max(${e})::VARCHAR FROM read_parquet($1)`, path)
      ;[said.sum, said.min, said.max] = numbers.map((n) => (n === null ? '' : plain(n)))
    }
    const values = (await rowsOf(`SELECT ${e}::VARCHAR FROM read_parquet($1)`, path)).flat()
    said.digest = digest(values.map((v) => (v === null ? null : type === 'VARCHAR' ? unhex(v) : plain(v))))
    columns.push(said)
  }
  return { rows: Number(rows), columns }
}

/** DuckDB's name for the type of a column, by what the file says of it. */
function typeName(e) {
  const { type, isAdjustedToUTC, unit } = e.logical_type ?? {}
  if (type === 'TIMESTAMP' && isAdjustedToUTC && unit === 'MICROS' && e.type === 'INT64') return 'TIMESTAMP WITH TIME ZONE'
  if (type === 'DATE' && e.type === 'INT32') return 'DATE'
  if (type === 'STRING' && e.type === 'BYTE_ARRAY') return 'VARCHAR'
  if (type === 'DECIMAL') return `DECIMAL(${e.precision},${e.scale})`
  return { INT64: 'BIGINT', INT32: 'INTEGER', BOOLEAN: 'BOOLEAN' }[type ? '' : e.type] ?? `${e.type} ${type}`
}

/** A two's complement number, its highest byte first. */
const wide = (bytes) => BigInt.asIntN(8 * bytes.length, BigInt(`0x${Buffer.from(bytes).toString('hex')}`))

/**
 * All columns of a file, by name. By itself hyparquet makes floating-point
 * numbers of decimals and milliseconds of microseconds: it is asked for what it
 * found before.
 */
async function columnsOf(path) {
  const file = await asyncBufferFromFile(path)
  const metadata = await parquetMetadataAsync(file)
  const elements = metadata.schema.slice(1)
  const raw = metadata.schema.map((e) => (e.converted_type === 'DECIMAL' ? { ...e, converted_type: undefined, logical_type: undefined } : e))
  const columns = new Map(elements.map((e) => [e.name, new Array(Number(metadata.num_rows)).fill(undefined)]))
  await parquetRead({
    file, compressors, metadata: { ...metadata, schema: raw },
    parsers: { timestampFromMicroseconds: (n) => n, dateFromDays: (n) => n, stringFromBytes: (b) => Buffer.from(b).toString('utf8') },
    onChunk({ columnName, columnData, rowStart }) {
      const to = columns.get(columnName)
      for (let i = 0; i < columnData.length; i++) to[rowStart + i] = columnData[i] ?? null
    },
  })
  return { rows: Number(metadata.num_rows), elements, columns }
}

async function hyparquet(path) {
  const { rows, elements, columns } = await columnsOf(path)
  const all = elements.map((e) => {
    const values = columns.get(e.name)
    const known = values.filter((v) => v !== null)
    const said = { name: e.name, type: typeName(e), known: known.length }
    if (said.type === 'VARCHAR') return { ...said, texts: [...new Set(known)], digest: digest(values) }
    const scale = said.type.startsWith('DECIMAL') ? e.scale : 0
    const exact = values.map((v) => (v === null ? null : v instanceof Uint8Array ? wide(v) : BigInt(v)))
    let [sum, min, max] = [0n, null, null]
    for (const n of exact) {
      if (n === null) continue
      sum += n
      if (min === null || n < min) min = n
      if (max === null || n > max) max = n
    }
    const spell = (n) => decimal(n, scale)
    const [s, least, most] = known.length ? [sum, min, max].map(spell) : ['', '', '']
    return { ...said, sum: s, min: least, max: most, digest: digest(exact.map((n) => (n === null ? null : spell(n)))) }
  })
  return { rows, columns: all }
}

const attempt = (read) => read.catch((error) => ({ error: String(error.stack ?? error) }))

/** What both readers say of files. */
async function read({ paths }) {
  const answers = []
  for (const path of paths) answers.push({ duckdb: await attempt(duckdb(path)), hyparquet: await attempt(hyparquet(path)) })
  return answers
}

/** Sums by calendar days of a zone, as people would ask for them: [day, sum, how many]. */
async function daily({ path, zone, time, value }) {
  const asked = await rowsOf(
    `SELECT (${quote(time)} AT TIME ZONE $2)::DATE::VARCHAR AS day, sum(${quote(value)})::VARCHAR, count(*)::VARCHAR FROM read_parquet($1) GROUP BY day ORDER BY day`,
    path, zone,
  )
  const { elements, columns } = await columnsOf(path)
  const { scale } = elements.find((e) => e.name === value)
  const format = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' })
  const days = new Map()
  const values = columns.get(value)
  columns.get(time).forEach((micros, i) => {
    const day = format.format(new Date(Number(micros / 1000n)))
    const of = days.get(day) ?? { sum: 0n, count: 0 }
    days.set(day, { sum: of.sum + (values[i] ?? 0n), count: of.count + 1 })
  })
  return {
    duckdb: asked.map(([day, sum, count]) => [day, plain(sum), count]),
    hyparquet: [...days].sort().map(([day, { sum, count }]) => [day, decimal(sum, scale), String(count)]),
  }
}

const commands = { read, daily }
const [name] = process.argv.slice(2)
process.stdout.write(JSON.stringify(await commands[name](JSON.parse(readFileSync(0, 'utf8')))))
