/*
 * sql.h: the tables and queries of TPC-H (specification 3.0.1, clauses 1.4 and 2.4) as this project declares them.
 *
 * What differs from the specification's text:
 * - ORDER BY and LIMIT are left out: a view has no order.
 * - Parameters are those of the validation runs. Dates computed from them are constants ('1998-09-02' for
 *   '1998-12-01' less 90 days), so that other engines read the same text.
 * - extract(year from d) is date_part('year', d).
 * - The derived tables of Q7, Q8 and Q9, which only name columns, are written out; in Q19 the join's condition stands
 *   once before the alternatives.
 * - References between tables are not declared: rows come in any order.
 */
#ifndef LF_BENCH_TPCH_SQL_H
#define LF_BENCH_TPCH_SQL_H

#include "bench/tpch/tpch.h"

/* Declarations of the tables that are also used by other names than their own. `name` is a string literal. */
#define TPCH_CREATE_CUSTOMER(name) \
	"CREATE TABLE " name " (c_custkey integer PRIMARY KEY, c_name varchar(25) NOT NULL," \
	" c_address varchar(40) NOT NULL, c_nationkey integer NOT NULL, c_phone char(15) NOT NULL," \
	" c_acctbal decimal(15,2) NOT NULL, c_mktsegment char(10) NOT NULL," \
	" c_comment varchar(117) NOT NULL)"
#define TPCH_CREATE_ORDERS(name) \
	"CREATE TABLE " name " (o_orderkey integer PRIMARY KEY, o_custkey integer NOT NULL," \
	" o_orderstatus char(1) NOT NULL, o_totalprice decimal(15,2) NOT NULL," \
	" o_orderdate date NOT NULL, o_orderpriority char(15) NOT NULL, o_clerk char(15) NOT NULL," \
	" o_shippriority integer NOT NULL, o_comment varchar(79) NOT NULL)"
#define TPCH_CREATE_LINEITEM(name) \
	"CREATE TABLE " name " (l_orderkey integer, l_partkey integer NOT NULL," \
	" l_suppkey integer NOT NULL, l_linenumber integer, l_quantity decimal(15,2) NOT NULL," \
	" l_extendedprice decimal(15,2) NOT NULL, l_discount decimal(15,2) NOT NULL," \
	" l_tax decimal(15,2) NOT NULL, l_returnflag char(1) NOT NULL," \
	" l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL," \
	" l_receiptdate date NOT NULL, l_shipinstruct char(25) NOT NULL," \
	" l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL," \
	" PRIMARY KEY (l_orderkey, l_linenumber))"

/* Queries over them. The arguments are string literals: the tables' names. */
#define TPCH_Q1(lineitem) \
	"SELECT l_returnflag, l_linestatus, sum(l_quantity) AS sum_qty," \
	" sum(l_extendedprice) AS sum_base_price," \
	" sum(l_extendedprice * (1 - l_discount)) AS sum_disc_price," \
	" sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS sum_charge," \
	" avg(l_quantity) AS avg_qty, avg(l_extendedprice) AS avg_price," \
	" avg(l_discount) AS avg_disc, count(*) AS count_order" \
	" FROM " lineitem " WHERE l_shipdate <= date '1998-09-02'" \
	" GROUP BY l_returnflag, l_linestatus"
#define TPCH_Q3(customer, orders, lineitem) \
	"SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate," \
	" o_shippriority FROM " customer ", " orders ", " lineitem \
	" WHERE c_mktsegment = 'BUILDING' AND c_custkey = o_custkey AND l_orderkey = o_orderkey" \
	" AND o_orderdate < date '1995-03-15' AND l_shipdate > date '1995-03-15'" \
	" GROUP BY l_orderkey, o_orderdate, o_shippriority"
#define TPCH_Q6(lineitem) \
	"SELECT sum(l_extendedprice * l_discount) AS revenue FROM " lineitem \
	" WHERE l_shipdate >= date '1994-01-01' AND l_shipdate < date '1995-01-01'" \
	" AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24"

/* CREATE TABLE of each, without a semicolon; by enum tpch_table. */
extern const char *const TPCH_CREATE[TPCH_TABLES];

struct tpch_query {
	const char *name;    /* "q1"; also the view's */
	unsigned tables;     /* it reads: bits by enum tpch_table */
	const char *key;     /* columns by which its rows differ; NULL: it has one row */
	const char *refused; /* the engine's error for it as a view; NULL: it maintains it */
	const char *text;
};

enum { TPCH_QUERIES = 22 };
extern const struct tpch_query TPCH_QUERY[TPCH_QUERIES];

#endif
