#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Two real nodes on this machine, as two processes: Alice imports what her bank
# and her meter gave her and asks about it, alone; she shares a folder, and months of readings, with
# Camille, Camille fetches it, Alice closes the passage.
#
#   demo.sh TRABOULE [FILE]     FILE: a file or folder of yours instead of the sample
set -euo pipefail
exec 2>&1 # what is typed and what is answered, in one stream

traboule=$(realpath "$1")
source=${2:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/traboule-demo.XXXXXX")
export XDG_STATE_HOME=$work/state
chmod 700 "$work"
export TRABOULE_LANG=${TRABOULE_LANG:-en}
pids=()

finish() {
	for pid in "${pids[@]}"; do kill -INT "$pid" 2>/dev/null || true; done
	for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
fail() { printf '\ndemo: %s\n' "$*" >&2; exit 1; }

# as NAME ARGS…: shows the command, then runs it on that person's node.
as() {
	local who=$1
	shift
	printf '%s%s$ traboule %s%s\n' "$dim" "$who" "$(printf '%.70s' "$*")" "$plain" >&2
	"$traboule" "$@" --home "$work/$who" --passphrase-file "$work/$who.secret"
}

# refused CODE NAME ARGS…: the command must end with that exit code.
refused() {
	local want=$1 got=0
	shift
	as "$@" || got=$?
	[ "$got" = "$want" ] || fail "exit code $got, expected $want: $*"
}

start() {
	mkfifo "$work/$1.ready"
	"$traboule" run --home "$work/$1" --passphrase-file "$work/$1.secret" \
		--listen /ip4/127.0.0.1/tcp/0 --listen /ip4/127.0.0.1/udp/0/quic-v1 >"$work/$1.ready" 2>"$work/$1.err" &
	pids+=($!)
	exec {ready}<"$work/$1.ready"
	read -r line <&"$ready" || { cat "$work/$1.err" >&2; fail "the node of $1 did not start"; }
	printf '%s\n' "$line"
}

# listing FOLDER: everything that must be the same after the journey.
listing() {
	(cd "$1" && find . -mindepth 1 \( -type f -o -type d \) -printf '%y %m %s %T@ %p\n' |
		sed -E 's/^d ([0-7]+) [0-9]+ /d \1 - /' | LC_ALL=C sort -k5)
	(cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum)
}

same() {
	listing "$1" >"$work/before"
	listing "$2" >"$work/after"
	diff "$work/before" "$work/after" >&2 || fail "what arrived differs from what was sent"
	printf 'Compared: %s files, with content (SHA-256), names, times and modes: all the same.\n' "$(find "$2" -type f | wc -l)"
}

# statement and meter: three months as a bank and an electricity meter tell them.
statement() {
	printf 'OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nCHARSET:1252\n\n'
	printf '<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>EUR<BANKACCTFROM><BANKID>30002<ACCTID>0000012345'
	printf '<ACCTTYPE>CHECKING</BANKACCTFROM><BANKTRANLIST><DTSTART>20260701<DTEND>20260930\n'
	local month
	for month in 202607 202608 202609; do
		printf '<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>%s01<TRNAMT>1850,00<NAME>SALARY</STMTTRN>\n' $month
		printf '<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>%s05<TRNAMT>-640,00<NAME>RENT</STMTTRN>\n' $month
		printf '<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>%s17<TRNAMT>-2,25<NAME>COFFEE</STMTTRN>\n' $month $month
	done
	printf '</BANKTRANLIST></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\n'
}

meter() {
	printf '{"meter_reading": {"usage_point_id": "12345678901234", "start": "2026-07-01", "end": "2026-10-01", "quality": "BRUT",'
	printf ' "reading_type": {"unit": "Wh", "measurement_kind": "energy", "aggregate": "sum", "measuring_period": "P1D"},'
	printf ' "interval_reading": ['
	local month day between=
	for month in 7 8 9; do
		for ((day = 1; day <= (month == 9 ? 30 : 31); day++)); do
			printf '%s{"value": "%d", "date": "2026-%02d-%02d"}' "$between" $((month * 1000 - 2000 + day * day * 37 % 1500)) $month $day
			between=,
		done
	done
	printf ']}}\n'
}

folder=$work/pictures
if [ -n "$source" ]; then
	[ -e "$source" ] || fail "there is no $source"
	mkdir "$folder"
	if [ -d "$source" ]; then cp -a "$source/." "$folder/"; else cp -a "$source" "$folder/"; fi
	find "$folder" ! -type f ! -type d -delete # links and special files are not part of a data set
else
	mkdir -p "$folder/summer" "$folder/winter" "$folder/empty"
	head -c 3000000 /dev/urandom >"$folder/summer/river.jpg"
	head -c 1500000 /dev/urandom >"$folder/winter/roofs.jpg"
	echo 'Lyon, from the hill' >"$folder/summer/été.txt"
	chmod 640 "$folder/summer/été.txt"
	touch -d '2025-08-15 10:30:00.123456789' "$folder/summer/été.txt" "$folder/summer"
fi
head -c 12000000 /dev/urandom >"$work/film.mkv"
statement >"$work/statement.ofx"
meter >"$work/meter.json"
for who in alice camille; do (umask 077 && echo "the passphrase of $who, for the demo" >"$work/$who.secret"); done

say '1. Each makes a node of their own. It is encrypted, and opens with their passphrase.'
as alice init --words-file "$work/alice.words"
as camille init --words-file "$work/camille.words" >/dev/null
start alice
start camille

say '2. Alice imports what her bank and her meter let her download. Files are known by their content.'
(
	cd "$work"
	as alice import statement.ofx meter.json
	as alice import statement.ofx
	as alice query bank-operations --columns date,label,amount --from 2026-09-01
	as alice query electricity-daily --by month
	as alice plot electricity-daily
)

say '3. They get to know each other: a link, and a fingerprint to compare by voice.'
as camille card --name Camille >/dev/null 2>&1
link=$(as alice card --name Alice)
as camille contact add "$link" --name alice
as alice contact list
as alice contact confirm Camille

say '4. Alice adds a folder. Only ciphertext is written.'
as alice add "$folder" --name pictures
as alice list

say '5. She opens a passage to Camille, for thirty days. Camille fetches what it gives.'
as alice grant pictures --to Camille --until 30d
as camille fetch pictures
as camille open pictures --to "$work/opened"
same "$folder" "$work/opened"

say '6. A new version: only what is new travels.'
echo 'added later' >"$folder/added-later.txt"
as alice add "$folder" --name pictures
as camille fetch pictures
as camille open pictures --to "$work/opened-again"
same "$folder" "$work/opened-again"

say '7. Of her meter Camille may see months, no days: she looks at what would leave, and that is what Camille gets.'
as alice grant electricity-daily --to Camille --columns day,energy/sum --by month --preview
as alice grant electricity-daily --to Camille --columns day,energy/sum --by month
as camille fetch electricity-daily
as camille query electricity-daily

say '8. Alice changes her mind while a slow transfer runs: it stops.'
as alice add "$work/film.mkv" --name film
grant=$(as alice grant film --to Camille --json | sed -n 's/.*"id": "\(.*\)",*/\1/p' | head -1)
got=0
as camille fetch film --limit-rate 1M >"$work/fetch.out" 2>&1 &
fetching=$!
until "$traboule" log --name "$grant" --json --home "$work/alice" | grep '"event": "delivered"' >/dev/null; do
	kill -0 "$fetching" 2>/dev/null || fail "the fetch ended before it was revoked"
done
as alice revoke "$grant"
wait "$fetching" || got=$?
sed 's/^/  camille: /' "$work/fetch.out"
[ "$got" = 7 ] || [ "$got" = 130 ] || fail "the fetch ended with $got, expected 7 (refused)"

say '9. And after: refused, to Camille with the reason.'
refused 7 camille fetch "$grant"

say '10. Both can say what happened.'
as alice log
as camille log

say 'That is all: Alice keeps her data, asks it herself, opened one passage, closed another, and nobody stood in between.'
