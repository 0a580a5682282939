/*
 * limits.h: every limit and default size, with what is answered when it is met.
 *
 * A fixed limit protects a bound the code relies on (stack depth, field width, bounded buffers);
 * a DEFAULT_ is the value of a server flag. The README's table of limits is this file.
 */
#ifndef LF_BASE_LIMITS_H
#define LF_BASE_LIMITS_H

#define KIB(n) ((n)*1024)
#define MIB(n) ((n)*1024 * 1024)

/* Text of SQL */
#define LIMIT_STATEMENT_BYTES MIB(1) /* text of one prepare or query; 54001 */
#define LIMIT_PARSE_DEPTH 1000       /* nesting the parser is allowed to meet; 54001 */
#define LIMIT_PARSE_BRACKETS 4000    /* brackets within brackets of a text; 54001 */
#define LIMIT_PARSE_RUN 16384        /* tokens of a text that no comma, AND or OR divides; 54001 */
#define LIMIT_PARSE_COMMENTS 256     /* comments begun with nothing between them; 54001 */
#define LIMIT_EXPR_DEPTH 500         /* nesting of an expression's tree; 54001 */
#define LIMIT_JSON_DEPTH 500         /* nesting of a json; 54001 */
#define LIMIT_EXPR_NODES 65536       /* nodes of one statement's expressions; 54001 */
#define LIMIT_PARAMS 65535           /* $n of a statement, as in PostgreSQL; 54000 */
#define LIMIT_NAME_BYTES 63 /* of an identifier; the parser cuts longer ones, as PostgreSQL */

/* Schema */
#define LIMIT_COLUMNS 1600         /* of a table, view or result; 54011 */
#define LIMIT_ROW_BYTES MIB(16)    /* of one encoded row; 54000 */
#define LIMIT_KEY_COLUMNS 32       /* of a primary key or an index; 54011 */
#define LIMIT_TABLES 1024          /* tables of a schema; 53400 */
#define LIMIT_VIEWS 1024           /* views of a schema; 53400 */
#define LIMIT_SOURCES 1024         /* names of sources of tables, since the start; 53400 */
#define LIMIT_INDEXES_PER_TABLE 32 /* of one table or view; 53400 */
#define LIMIT_JOINS_PER_VIEW 16    /* joined inputs of one view; 54001 */
#define LIMIT_NODES_PER_VIEW 256   /* operators of one view; 54001 */
#define LIMIT_QUERY_DEPTH 32       /* selects within selects; 54001 */
#define LIMIT_OUTER_COLUMNS 16     /* of the select around, that one uses; 54001 */
#define LIMIT_GROUPING_SETS 64     /* of one select; 54000 */
#define LIMIT_VARCHAR_CHARS 65535  /* n of varchar(n) and char(n); 22023 */
#define LIMIT_NUMERIC_DIGITS 38    /* precision of numeric; 22003 */

/* Regular expressions: what does not fit is 54001. */
#define LIMIT_REGEX_BYTES KIB(16)   /* of a pattern */
#define LIMIT_REGEX_DEPTH 100       /* brackets within brackets of one */
#define LIMIT_REGEX_STEPS 1000000   /* of a match: what is tried, and how deep */
#define LIMIT_REGEX_HEAP_KIB 4096   /* of a match */
#define LIMIT_REGEX_WORKSPACE 16384 /* words of one without going back */
#define LIMIT_REGEX_CACHED 32 /* compiled patterns a thread keeps; older ones are compiled again */

/* Commands and queries */
#define LIMIT_STATEMENTS_PER_COMMAND 64 /* of a multi-statement command; 54000 */
#define LIMIT_ROWS_PER_COMMAND 16384    /* rows one command may change; 54000 */
#define LIMIT_COMMAND_BYTES MIB(16) /* parameters of one command, or what its query gives; 54000 */
#define LIMIT_META_BYTES 4096       /* of a command, for the event log; 08P01, embedded 54000 */
#define LIMIT_COPY_RECORD_BYTES MIB(64) /* text of a row in COPY's input (the client's); 54000 */
#define LIMIT_COPY_NULL_BYTES 63        /* of COPY's text for NULL; 0A000 */
#define LIMIT_OUTSIDE_BYTES \
	MIB(64) /* parameters of a port's commands kept outside its rings; LF002 */
#define LIMIT_QUERY_BYTES \
	MIB(1024)        /* memory of one query that joins, with all its operators; 54000 */
#define LIMIT_QUERY_S 30 /* … and its time; 57014 */
#define LIMIT_RESULT_BYTES MIB(256) /* rows of one query's answer before paging; 54000 */
#define LIMIT_PROCEDURES 1024       /* named procedures; 53400 */
#define LIMIT_PROCEDURE_ARGS 100    /* arguments of one; 54001 */

/* Commands with a request id: what is remembered of a shard's answers */
#define LIMIT_ONCE_CLIENTS (1u << 20) /* clients that a shard knows; a new one beyond: 53400 */
#define LIMIT_ONCE_ROWS_BYTES KIB(64) /* rows of an answer: more are not kept; a retry: 54000 */
#define DEFAULT_ONCE_ANSWERS 65536    /* --once-answers, of a client and shard; older ones: LF006 */
#define DEFAULT_ONCE_BYTES MIB(64)    /* --once-memory, over all shards */
#define DEFAULT_ONCE_SECONDS 86400    /* --once-seconds */
/* The longest entry of an answer in a file: its header, record and rows, or texts. */
#define LIMIT_ONCE_ENTRY_BYTES (LIMIT_ONCE_ROWS_BYTES + KIB(2))

/* Threads */
#define LIMIT_PROJECTORS 64             /* shards; a flag beyond is refused at start */
#define LIMIT_REACTORS 64               /* threads serving connections */
#define LIMIT_PORTS 256                 /* writers: reactors and feeds; a ring per shard each */
#define LIMIT_READERS (LIMIT_PORTS + 1) /* of epochs: the ports, and a checkpoint */

/* Epochs and batches */
#define LIMIT_EPOCHS_IN_FLIGHT 4 /* pinned by a projector but not visible yet */
#define LIMIT_STAGES 32          /* exchanges in a row below one view; 54001 */
#define LIMIT_BATCH_COMMANDS \
	256                        /* a projector takes so many of a ring, then publishes: what more
                                       * touch does not stay in the cache between operators */
#define DEFAULT_BUILD_AT_ONCE 4096 /* --build-at-once */
#define DEFAULT_BUILD_SLICE \
	64 /* rows between two batches of commands, while a view is built: commands wait for them */
#define DEFAULT_RING_BYTES MIB(1)     /* command ring of one (port, projector) */
#define DEFAULT_EXCHANGE_BYTES MIB(1) /* exchange channel of one (projector, projector) */

/* Journal */
#define LIMIT_SEGMENT_BYTES_MIN KIB(64)   /* the least --segment-size */
#define LIMIT_SEGMENT_BYTES_MAX MIB(1024) /* … and the largest */
#define DEFAULT_SEGMENT_BYTES MIB(64)
#define LIMIT_JOURNAL_BUFFER_BYTES \
	MIB(4) /* of a shard, waiting for the disk: nothing more is taken */
#define DEFAULT_CHECKPOINT_BYTES MIB(1024) /* of journal, after which a checkpoint is written */
#define DEFAULT_CHECKPOINT_SECONDS 300     /* … or after so long, when anything was */
#define DEFAULT_EVENT_LOG_BYTES \
	MIB(1024ull)               /* of journal kept for it, beyond what checkpoints need */
#define LIMIT_EVENT_KEY_BYTES 1024 /* of a key that events are chosen by */
#define LIMIT_CONSUMER_WINDOW \
	1024 /* events of a group of consumers that are not settled, or wait for one */
#define LIMIT_CONSUMER_BYTES MIB(4)       /* … and their bytes, unless it is one */
#define LIMIT_CONSUMERS 256               /* groups at work; 53400 */
#define LIMIT_CONSUMER_MEMBERS 256        /* of one group; 53400 */
#define DEFAULT_CONSUMER_ACK_MS 30000     /* until an event is given again */
#define DEFAULT_CONSUMER_ATTEMPTS 5       /* before it is a dead letter */
#define DEFAULT_CONSUMER_INFLIGHT 64      /* unacknowledged, of one member */
#define LIMIT_EVENT_STATEMENTS (1u << 20) /* different ones of the commands in a block */
#define LIMIT_DISK_LATE_MS 5000           /* a write that takes longer: the disk hangs */
#define CHECKPOINTS_KEPT 2
#define LIMIT_PACKED_BYTES MIB(32)       /* of a checkpoint's block, unpacked */
#define JOURNAL_EPOCHS_SILENT (1u << 20) /* epochs without a block, at most */
#define RESTART_EPOCHS \
	(2 * JOURNAL_EPOCHS_SILENT) /* a run's first epoch after the last that is on disk */
#define SALVAGE_EPOCHS (1ull << 40) /* … after damage, which may have taken later ones */

/* Change feeds */
#define LIMIT_HISTORY_BYTES_MIN KIB(1) /* the least --history, of a shard */
#define DEFAULT_HISTORY_BYTES MIB(64)  /* --history: changes kept for subscribers, of a shard */
#define DEFAULT_HISTORY_KEEP_S \
	300 /* --history-keep: … so long after a relation's last subscriber has gone */
#define HISTORY_MEMORY_PART 8      /* … of all shards, at most this part of the memory limit */
#define FEED_CHUNK_BYTES KIB(64)   /* history is given up in pieces of so much */
#define FEED_TURN_BYTES KIB(256)   /* of history that a subscription goes through at a time */
#define LIMIT_SUBSCRIPTIONS 100000 /* of a server; 53400 */
#define LIMIT_SUBSCRIPTIONS_PER_SESSION 4096 /* … of a connection; 53400 */
#define FEED_OUTPUT_BYTES KIB(256) /* waiting for a client: changes stay in the history beyond */
#define FEED_PROGRESS_MS 1000 /* a subscription that is told nothing is told its epoch so often */

/* Connections */
#define LIMIT_FRAME_BYTES (MIB(16) + KIB(64)) /* a frame: the largest row, its envelope; 08P01 */
#define LIMIT_STATEMENTS_PER_SESSION 4096     /* prepared handles of one connection; 53400 */
#define LIMIT_EXECUTIONS_PER_FRAME 65535      /* of an execute-batch frame; 08P01 */
#define LIMIT_STREAMS_PER_SESSION 16          /* of events, of one connection; 53400 */
#define LIMIT_REQUESTS_IN_FLIGHT 65536        /* unanswered, of one connection: no more is read */
#define LIMIT_CONNECTIONS 65536               /* the highest --max-connections */
#define DEFAULT_CONNECTIONS 4096              /* --max-connections; 53300 */
#define DEFAULT_OUTPUT_BYTES MIB(32)          /* answers waiting for one client: no more is read */
#define DEFAULT_RECV_BUFFER_BYTES KIB(16)     /* one provided receive buffer */
#define DEFAULT_RECV_BUFFERS 1024             /* of them per reactor; a power of two */
#define DEFAULT_IDLE_SECONDS 0                /* closes a silent connection; 0: never; 57P05 */
#define DEFAULT_SLOW_SECONDS 30               /* closes a client that takes no bytes; 57P05 */
#define DEFAULT_HELLO_SECONDS 10              /* a connection must say hello within; 57P05 */
#define LINGER_SECONDS 2                      /* input is dropped so long behind a last answer */
#define DRAIN_SECONDS 5       /* answers not taken so long after SIGTERM are given up */
#define LIMIT_SPIN_US 1000000 /* the longest --spin */
#define LIMIT_HOLD_MS 1000    /* HOLD without its RELEASE; 25P03 */
#define LIMIT_WAIT_SECONDS 60 /* of a query for an epoch, at most; LF001 */
#define ROUND_BYTES KIB(256)  /* a connection's share of one round of its reactor */

/* Derived sums: what must fit in what. */
_Static_assert(LIMIT_STATEMENT_BYTES < LIMIT_FRAME_BYTES, "a statement's text fits a frame");
_Static_assert(LIMIT_COMMAND_BYTES < LIMIT_FRAME_BYTES, "a command's parameters fit a frame");
_Static_assert(LIMIT_ROW_BYTES < LIMIT_FRAME_BYTES, "a row fits a frame");
_Static_assert(LIMIT_ROW_BYTES + MIB(1) < LIMIT_PACKED_BYTES, "a row fits a checkpoint's block");
_Static_assert(LIMIT_REACTORS <= LIMIT_PORTS, "every reactor has a port");
_Static_assert(LIMIT_PARAMS <= 0xffff, "a parameter's number is a u16 on the wire");
_Static_assert(LIMIT_EXECUTIONS_PER_FRAME <= 0xffff, "a frame counts its executions in a u16");
_Static_assert(LIMIT_COLUMNS <= 0xffff, "a column's number is a u16 in rows and on the wire");
_Static_assert(LIMIT_KEY_COLUMNS <= LIMIT_COLUMNS, "a key is made of columns");
_Static_assert(LIMIT_EXPR_DEPTH <= LIMIT_PARSE_DEPTH, "the parser may not be the narrower one");
_Static_assert(LIMIT_VARCHAR_CHARS <= 0xffff, "struct type keeps the modifier in a u16");
_Static_assert((DEFAULT_RING_BYTES & (DEFAULT_RING_BYTES - 1)) == 0, "rings wrap by masking");
_Static_assert((DEFAULT_RECV_BUFFERS & (DEFAULT_RECV_BUFFERS - 1)) == 0, "io_uring wants 2^n");

#endif
