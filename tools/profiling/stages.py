"""The stages of the server: which part of the work a function belongs to.

The innermost frame that a stage lists decides, so that what several stages use (hashing, tables, expressions, copying) counts
for the one it is done for.
"""

import collections
import fnmatch

from profiling.stacks import KERNEL

# In the order of the table. A word with a slash is a source file or a folder, one that begins with "lib" a library, another
# one a function; * stands for anything. What a function says goes before what its file says.
STAGES = [(name, words.split()) for name, words in (
    ("network", "net/server/reactor.c net/server/buffer.c"),
    ("sessions", "net/server/ net/wire/ core/sql/source.c lf_check_source"),
    ("ports and rings", "core/engine_port.c core/engine_insert.c core/engine_threads.c core/sync/ring.c core/sync/park.c wake_others"),
    ("queries", "core/engine_renew.c core/flow/query.c core/flow/query_analyze.c core/flow/query_point.c core/flow/query_compile.c core/flow/query_range.c lf_query lf_query_batch"),
    ("commands", "core/flow/command.c core/flow/projector.c core/flow/once.c core/flow/answers.c core/flow/part_copy.c"),
    ("journal", "core/log/ batch_journal journal_work"),
    ("event log", "core/flow/event_log.c core/engine_events.c core/engine_stream.c core/engine_consume core/consumer_group.c"),
    ("views: scan", "core/flow/flow.c core/flow/flow_build.c core/flow/flow_share.c core/flow/account.c batch_project"),
    ("views: join", "core/flow/flow_join.c"),
    ("views: group", "core/flow/flow_group.c core/flow/aggregate.c core/flow/ordered.c core/sql/sum.c core/sql/variance.c core/sql/float_sums.c core/sql/regression.c core/flow/percentile.c core/sql/limbs.c core/sql/tuple.c core/sql/array.c core/sql/json_build.c"),
    ("views: window", "core/flow/flow_window.c core/flow/window_frame.c core/flow/rowtree.c"),
    ("views: publish", "core/flow/flow_publish.c"),
    ("subscriptions", "core/flow/feed.c core/engine_feed.c feeds_serve"),
    ("views: exchange", "core/flow/exchange.c exchange_* chunk_receive"),
    ("epochs, reclaiming", "core/sync/epoch.c core/sync/retire.c housekeep remains_free parts_step parts_tidy"),
    ("allocator", "core/base/mem.c core/base/extents.c libjemalloc malloc free calloc realloc"),
    ("kernel: network", "tcp_* ip_* __ip_* inet_* sock_* io_send* io_recv* net_rx_action __dev_queue_xmit"),
    ("kernel: disk", "io_write* io_read* io_wq_* vfs_write vfs_read vfs_fsync* blk_* submit_bio* iomap_* ext4_* xfs_* btrfs_*"),
    ("kernel: memory", "asm_exc_page_fault *page_fault* madvise* *sys_madvise *sys_mmap *sys_munmap"),
    ("kernel: sleep and wake", "schedule schedule_* __schedule io_cqring_wait try_to_wake_up futex_* do_futex eventfd_*"),
)]
OTHER_KERNEL, OTHER = "kernel: other", "other"
NAMES = [name for name, _ in STAGES] + [OTHER_KERNEL, OTHER]

FUNCTIONS = [(w, name) for name, words in STAGES for w in words if "/" not in w and not w.startswith("lib")]
PLACES = [(w, name) for name, words in STAGES for w in words if "/" in w or w.startswith("lib")]


def stage_of_frame(frame):
    """None: its callers say."""
    # Functions of the kernel and of the server are told apart by their stages only: none shares its name.
    for word, name in FUNCTIONS:
        if fnmatch.fnmatchcase(frame.name, word):
            return name
    for word, name in PLACES:
        if frame.where.startswith(word):
            return name
    return None


def stage_of(stack):
    in_kernel = False
    for frame in reversed(stack):
        if in_kernel and frame.where != KERNEL:
            return OTHER_KERNEL
        name = stage_of_frame(frame)
        if name:
            return name
        in_kernel = frame.where == KERNEL
    return OTHER_KERNEL if in_kernel else OTHER


def by_stage(running):
    """ns by stage, of a Recording's running."""
    cache, out = {}, collections.Counter()
    for (_, stack), ns in running.items():
        if stack not in cache:
            cache[stack] = stage_of(stack)
        out[cache[stack]] += ns
    return out


def table(recording, seconds, operations):
    """The text of stages.txt; operations: done in these seconds."""
    stages = by_stage(recording.running)
    total = sum(stages.values())
    lines = ["%-24s %7s %14s" % ("stage", "share", "ns/operation")]
    lines += ["%-24s %6.1f%% %14.1f" % (name, 100 * stages[name] / total, stages[name] / operations)
              for name in NAMES if stages[name]]
    lines += ["%-24s %6.1f%% %14.1f" % ("all", 100 * sum(stages.values()) / total, total / operations), "",
              "%-24s %8s %8s %8s" % ("thread", "running", "blocked", "waiting")]
    lines += ["%-24s" % name + "".join(" %7.1f%%" % (ns / seconds / 1e7) for ns in times)
              for name, *times in recording.threads()]
    return "\n".join(lines) + "\n"
