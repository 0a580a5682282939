/*
 * probe.h: moments at which a running server can be watched, by bpftrace, perf, SystemTap or gdb.
 *
 * With <sys/sdt.h> (Debian: systemtap-sdt-dev) each is a USDT probe of the provider `leftfold`: one nop where it stands,
 * and a note in the binary that says where its arguments lie; nothing is read, counted or called until somebody attaches.
 * Without that header it is nothing. `readelf -n leftfoldd` lists them; tools/bpftrace has scripts that use them.
 *
 * Arguments must be at hand and without side effects. Numbers: shards, reactors (the engine's ports), stages and epochs as
 * everywhere; views by the id that the catalog gave them.
 *
 * Shards, in the order of one batch (the thread between batch_begin and batch_end is one; a shard has one batch at a
 * time):
 *
 *   epoch_enter    shard, epoch            it works in this epoch from here on; also for housekeeping
 *   batch_begin    shard, epoch            about to take commands from its rings
 *   batch_drained  shard, epoch, commands  they are executed, their replies written but not published
 *   journal_added  shard, epoch, changes   copied into the journal's buffer, if there is one
 *   stage_begin    shard, epoch, stage     the views' operators of this stage; later stages are outside of batches
 *   view_publish   shard, view, rows       so many of the view's rows have been changed in its table
 *   stage_end      shard, epoch, stage     they are through; what other shards need is sent
 *   batch_end      shard, epoch, commands  the epoch is left, the replies published
 *   build_begin    shard, epoch            about to work on a slice of a view that is being built, outside of batches
 *   build_end      shard, epoch            that is done
 *
 * Epochs, by whichever thread does it:
 *
 *   epoch_seal     epoch                   nobody enters it any more: sealed as soon as the shards in it have left
 *   epoch_visible  epoch                   this and all before it are what readers see from now on
 *
 * Journals (kind: enum segment_kind; one write of a shard and kind is under way at a time):
 *
 *   journal_write    shard, kind, bytes    given to the disk
 *   journal_written  shard, kind, bytes    the disk has it, or failed
 *
 * Reads:
 *
 *   query_begin    reactor, epoch, executions  of one statement, at the epoch that is pinned
 *   query_end      reactor, epoch, executions  all are answered
 */
#ifndef LF_BASE_PROBE_H
#define LF_BASE_PROBE_H

#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define PROBE1(name, a) DTRACE_PROBE1(leftfold, name, a)
#define PROBE2(name, a, b) DTRACE_PROBE2(leftfold, name, a, b)
#define PROBE3(name, a, b, c) DTRACE_PROBE3(leftfold, name, a, b, c)
#else
#define PROBE1(name, a) ((void)(a))
#define PROBE2(name, a, b) ((void)(a), (void)(b))
#define PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#endif

#endif
