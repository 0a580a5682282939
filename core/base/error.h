/*
 * error.h: the one error type and the one error table.
 *
 * A function that can fail takes a `struct error *` owned by its caller, fills it in once and
 * returns a negative number (or NULL). An error is returned or logged, never both. `code` is the
 * index into the table below; the table gives SQLSTATE and a default text.
 */
#ifndef LF_BASE_ERROR_H
#define LF_BASE_ERROR_H

#include <stdarg.h>
#include <stdint.h>

/* X(name, sqlstate, default text). SQLSTATEs are PostgreSQL's (Appendix A); LF… are our own. */
#define ERROR_TABLE(X) \
	X(ERR_OK, "00000", "successful completion") \
	X(ERR_PROTOCOL, "08P01", "protocol violation") \
	X(ERR_CONNECTION, "08006", "connection failure") \
	X(ERR_FEATURE, "0A000", "feature not supported") \
	X(ERR_CARDINALITY, "21000", "cardinality violation") \
	X(ERR_STRING_TOO_LONG, "22001", "value too long") \
	X(ERR_NUMERIC_RANGE, "22003", "numeric value out of range") \
	X(ERR_NULL_NOT_ALLOWED, "22004", "null value not allowed") \
	X(ERR_DATETIME_FORMAT, "22007", "invalid datetime format") \
	X(ERR_DATETIME_OVERFLOW, "22008", "datetime field overflow") \
	X(ERR_TIME_ZONE, "22009", "time zone displacement out of range") \
	X(ERR_SUBSTRING, "22011", "negative substring length not allowed") \
	X(ERR_DIVISION_BY_ZERO, "22012", "division by zero") \
	X(ERR_FRAME_OFFSET, "22013", "invalid preceding or following size in window function") \
	X(ERR_NTILE_ARGUMENT, "22014", "invalid argument for ntile function") \
	X(ERR_NTH_VALUE_ARGUMENT, "22016", "invalid argument for nth_value function") \
	X(ERR_INTERVAL_OVERFLOW, "22015", "interval field value out of range") \
	X(ERR_INVALID_PARAMETER, "22023", "invalid parameter value") \
	X(ERR_INVALID_ESCAPE, "22025", "invalid escape sequence") \
	X(ERR_BYTE_SEQUENCE, "22021", "invalid byte sequence for encoding \"UTF8\"") \
	X(ERR_INVALID_REGEX, "2201B", "invalid regular expression") \
	X(ERR_INVALID_LOG, "2201E", "invalid argument for logarithm") \
	X(ERR_INVALID_POWER, "2201F", "invalid argument for power function") \
	X(ERR_WIDTH_BUCKET, "2201G", "invalid argument for width_bucket function") \
	X(ERR_NEGATIVE_LIMIT, "2201W", "LIMIT must not be negative") \
	X(ERR_NEGATIVE_OFFSET, "2201X", "OFFSET must not be negative") \
	X(ERR_INVALID_TEXT, "22P02", "invalid input syntax") \
	X(ERR_UNTRANSLATABLE, "22P05", "untranslatable character") \
	X(ERR_INVALID_BINARY, "22P03", "invalid binary representation") \
	X(ERR_HELD, "25001", "the epoch is held") \
	X(ERR_NOT_HELD, "25P01", "the epoch is not held") \
	X(ERR_HOLD_TIMEOUT, "25P03", "the epoch was held too long") \
	X(ERR_NOT_NULL, "23502", "null value violates not-null constraint") \
	X(ERR_FOREIGN_KEY, "23503", "foreign key violation") \
	X(ERR_UNIQUE, "23505", "duplicate key value violates unique constraint") \
	X(ERR_CHECK, "23514", "new row violates check constraint") \
	X(ERR_READ_ONLY, "25006", "the table is fed by a source") \
	X(ERR_UNKNOWN_STATEMENT, "26000", "prepared statement does not exist") \
	X(ERR_DEPENDENT, "2BP01", "other objects depend on it") \
	X(ERR_SERIALIZATION, "40001", "could not serialize access") \
	X(ERR_SYNTAX, "42601", "syntax error") \
	X(ERR_DUPLICATE_COLUMN, "42701", "column specified more than once") \
	X(ERR_AMBIGUOUS_COLUMN, "42702", "column reference is ambiguous") \
	X(ERR_UNDEFINED_COLUMN, "42703", "column does not exist") \
	X(ERR_UNDEFINED_OBJECT, "42704", "object does not exist") \
	X(ERR_DUPLICATE_OBJECT, "42710", "object already exists") \
	X(ERR_DUPLICATE_ALIAS, "42712", "table name specified more than once") \
	X(ERR_DUPLICATE_FUNCTION, "42723", "function already exists") \
	X(ERR_AMBIGUOUS_FUNCTION, "42725", "function is not unique") \
	X(ERR_GROUPING, "42803", "grouping error") \
	X(ERR_DATATYPE_MISMATCH, "42804", "datatype mismatch") \
	X(ERR_WRONG_OBJECT, "42809", "wrong object type") \
	X(ERR_INVALID_FK, "42830", "invalid foreign key") \
	X(ERR_CANNOT_COERCE, "42846", "cannot coerce") \
	X(ERR_UNDEFINED_FUNCTION, "42883", "function or operator does not exist") \
	X(ERR_UNDEFINED_TABLE, "42P01", "relation does not exist") \
	X(ERR_UNDEFINED_PARAMETER, "42P02", "there is no such parameter") \
	X(ERR_DUPLICATE_TABLE, "42P07", "relation already exists") \
	X(ERR_INVALID_COLUMN_REFERENCE, "42P10", "invalid column reference") \
	X(ERR_INVALID_FUNCTION_DEFINITION, "42P13", "invalid function definition") \
	X(ERR_INVALID_TABLE_DEFINITION, "42P16", "invalid table definition") \
	X(ERR_INVALID_OBJECT_DEFINITION, "42P17", "invalid object definition") \
	X(ERR_WINDOWING, "42P20", "windowing error") \
	X(ERR_INDETERMINATE_TYPE, "42P18", "could not determine data type") \
	X(ERR_DISK_FULL, "53100", "disk full") \
	X(ERR_OUT_OF_MEMORY, "53200", "out of memory") \
	X(ERR_TOO_MANY_CONNECTIONS, "53300", "too many connections") \
	X(ERR_LIMIT, "53400", "configuration limit exceeded") \
	X(ERR_PROGRAM_LIMIT, "54000", "program limit exceeded") \
	X(ERR_TOO_COMPLEX, "54001", "statement too complex") \
	X(ERR_TOO_MANY_COLUMNS, "54011", "too many columns") \
	X(ERR_OBJECT_STATE, "55000", "object not in prerequisite state") \
	X(ERR_IN_USE, "55006", "object in use") \
	X(ERR_CANCELED, "57014", "query canceled") \
	X(ERR_SHUTDOWN, "57P01", "the server is shutting down") \
	X(ERR_IDLE_TIMEOUT, "57P05", "terminated because of a time-out") \
	X(ERR_IO, "58030", "I/O error") \
	X(ERR_REJECTED, "P0001", "the command was rejected") \
	X(ERR_INTERNAL, "XX000", "internal error") \
	X(ERR_NOT_YET, "LF001", "the epoch asked for is not visible yet") \
	X(ERR_OVERLOAD, "LF002", "queue full, try again") \
	X(ERR_OUTCOME_UNKNOWN, "LF003", "outcome of the command is unknown") \
	X(ERR_VIEW_FAILED, "LF004", "the view has failed and cannot be read") \
	X(ERR_DISK_LATE, "LF005", "the disk does not answer, try again later") \
	X(ERR_ONCE_EXPIRED, "LF006", "the request is older than what is remembered") \
	X(ERR_ONCE_MISMATCH, "LF007", "the request id was given to another command") \
	X(ERR_HISTORY_GAP, "LF008", "the changes asked for are not kept any more") \
	X(ERR_SLOW_SUBSCRIBER, "LF009", \
		"the subscriber has fallen behind the changes that are kept") \
	X(ERR_EVENTS_GONE, "LF010", "events that were asked for are not kept any more")

enum error_code {
#define X(name, state, text) name,
	ERROR_TABLE(X)
#undef X
		ERR_COUNT
};

enum { ERROR_MESSAGE_MAX = 320, ERROR_DETAIL_MAX = 256 };

struct error {
	enum error_code code;
	char state[6];                   /* of ERR_REJECTED what reject() gave; "": the code's */
	int32_t position;                /* 1-based character in the statement's text; 0: none */
	char message[ERROR_MESSAGE_MAX]; /* without a trailing newline */
	char detail[ERROR_DETAIL_MAX];   /* "" when absent */
	char hint[ERROR_DETAIL_MAX];     /* "" when absent */
};

/* Fill *e (detail and hint become empty). Always returns -1, so `return error_set(…)` works.
 * position: 1-based character, 0 for none. fmt NULL: the table's default text. */
int error_set(struct error *e, enum error_code code, int position, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Add detail or hint to an error just set. Return -1. */
int error_detail(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int error_hint(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Analysers look at one source file at a time: this shows them what these return. */
#ifdef __clang_analyzer__
#define error_returns(call) \
	({ \
		(void)(call); \
		-1; \
	})
#define error_set(...) error_returns((error_set)(__VA_ARGS__))
#define error_detail(...) error_returns((error_detail)(__VA_ARGS__))
#define error_hint(...) error_returns((error_hint)(__VA_ARGS__))
#endif

/* The five-character SQLSTATE and the default text of a code. Never NULL. */
const char *error_sqlstate(enum error_code code);
const char *error_text(enum error_code code);

/* The SQLSTATE of an error. */
static inline const char *error_state(const struct error *e)
{
	return e->state[0] != '\0' ? e->state : error_sqlstate(e->code);
}

/* The code of a SQLSTATE; ERR_INTERNAL when it is not in the table. */
enum error_code error_from_sqlstate(const char *state);

static inline void error_clear(struct error *e)
{
	e->code = ERR_OK;
	e->state[0] = '\0';
	e->position = 0;
	e->message[0] = e->detail[0] = e->hint[0] = '\0';
}

#endif
