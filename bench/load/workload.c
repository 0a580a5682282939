#include "bench/load/workload.h"

int workload_numbers(struct lf_client *c, const char *text, uint64_t at_least, int64_t *out,
	unsigned n, struct lf_client_error *e)
{
	struct lf_client_call how = { LF_ACK_VISIBLE, VERIFY_TIMEOUT_MS, at_least };
	struct lf_result *r = lf_result_new();
	int status = r == NULL ? -1 : lf_client_query(c, text, SIZE_MAX, &how, r, e);

	for (unsigned i = 0; status == 0 && i < n; i++)
		out[i] = lf_result_column_type(r, i).id == LF_TYPE_NUMERIC
			? (int64_t)lf_result_decimal(r, 0, i).low
			: lf_result_int(r, 0, i);
	lf_result_free(r);
	return status;
}
