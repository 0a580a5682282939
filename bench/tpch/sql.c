#include "bench/tpch/sql.h"

const char *const TPCH_CREATE[TPCH_TABLES] = {
	[TPCH_REGION] =
		"CREATE TABLE region (r_regionkey integer PRIMARY KEY, r_name char(25) NOT NULL,"
		" r_comment varchar(152) NOT NULL)",
	[TPCH_NATION] =
		"CREATE TABLE nation (n_nationkey integer PRIMARY KEY, n_name char(25) NOT NULL,"
		" n_regionkey integer NOT NULL, n_comment varchar(152) NOT NULL)",
	[TPCH_SUPPLIER] =
		"CREATE TABLE supplier (s_suppkey integer PRIMARY KEY, s_name char(25) NOT NULL,"
		" s_address varchar(40) NOT NULL, s_nationkey integer NOT NULL,"
		" s_phone char(15) NOT NULL, s_acctbal decimal(15,2) NOT NULL,"
		" s_comment varchar(101) NOT NULL)",
	[TPCH_PART] =
		"CREATE TABLE part (p_partkey integer PRIMARY KEY, p_name varchar(55) NOT NULL,"
		" p_mfgr char(25) NOT NULL, p_brand char(10) NOT NULL, p_type varchar(25) NOT NULL,"
		" p_size integer NOT NULL, p_container char(10) NOT NULL,"
		" p_retailprice decimal(15,2) NOT NULL, p_comment varchar(23) NOT NULL)",
	[TPCH_PARTSUPP] =
		"CREATE TABLE partsupp (ps_partkey integer, ps_suppkey integer,"
		" ps_availqty integer NOT NULL, ps_supplycost decimal(15,2) NOT NULL,"
		" ps_comment varchar(199) NOT NULL, PRIMARY KEY (ps_partkey, ps_suppkey))",
	[TPCH_CUSTOMER] = TPCH_CREATE_CUSTOMER("customer"),
	[TPCH_ORDERS] = TPCH_CREATE_ORDERS("orders"),
	[TPCH_LINEITEM] = TPCH_CREATE_LINEITEM("lineitem"),
};

enum {
	R = 1 << TPCH_REGION,
	N = 1 << TPCH_NATION,
	S = 1 << TPCH_SUPPLIER,
	P = 1 << TPCH_PART,
	PS = 1 << TPCH_PARTSUPP,
	C = 1 << TPCH_CUSTOMER,
	O = 1 << TPCH_ORDERS,
	L = 1 << TPCH_LINEITEM
};

const struct tpch_query TPCH_QUERY[TPCH_QUERIES] = {
	{ "q1", L, "l_returnflag, l_linestatus", NULL, TPCH_Q1("lineitem") },
	{ "q2", R | N | S | P | PS, "p_partkey, s_name", NULL,
		"SELECT s_acctbal, s_name, n_name, p_partkey, p_mfgr, s_address, s_phone, s_comment"
		" FROM part, supplier, partsupp, nation, region"
		" WHERE p_partkey = ps_partkey AND s_suppkey = ps_suppkey AND p_size = 15"
		" AND p_type LIKE '%BRASS' AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey"
		" AND r_name = 'EUROPE' AND ps_supplycost = (SELECT min(ps_supplycost)"
		" FROM partsupp, supplier, nation, region WHERE p_partkey = ps_partkey"
		" AND s_suppkey = ps_suppkey AND s_nationkey = n_nationkey"
		" AND n_regionkey = r_regionkey AND r_name = 'EUROPE')" },
	{ "q3", C | O | L, "l_orderkey", NULL, TPCH_Q3("customer", "orders", "lineitem") },
	{ "q4", O | L, "o_orderpriority", NULL,
		"SELECT o_orderpriority, count(*) AS order_count FROM orders"
		" WHERE o_orderdate >= date '1993-07-01' AND o_orderdate < date '1993-10-01'"
		" AND EXISTS (SELECT * FROM lineitem WHERE l_orderkey = o_orderkey"
		" AND l_commitdate < l_receiptdate) GROUP BY o_orderpriority" },
	{ "q5", R | N | S | C | O | L, "n_name", NULL,
		"SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue"
		" FROM customer, orders, lineitem, supplier, nation, region"
		" WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND l_suppkey = s_suppkey"
		" AND c_nationkey = s_nationkey AND s_nationkey = n_nationkey"
		" AND n_regionkey = r_regionkey AND r_name = 'ASIA'"
		" AND o_orderdate >= date '1994-01-01' AND o_orderdate < date '1995-01-01'"
		" GROUP BY n_name" },
	{ "q6", L, NULL, NULL, TPCH_Q6("lineitem") },
	{ "q7", N | S | C | O | L, "supp_nation, cust_nation, l_year", NULL,
		"SELECT n1.n_name AS supp_nation, n2.n_name AS cust_nation,"
		" date_part('year', l_shipdate) AS l_year,"
		" sum(l_extendedprice * (1 - l_discount)) AS revenue"
		" FROM supplier, lineitem, orders, customer, nation n1, nation n2"
		" WHERE s_suppkey = l_suppkey AND o_orderkey = l_orderkey AND c_custkey = o_custkey"
		" AND s_nationkey = n1.n_nationkey AND c_nationkey = n2.n_nationkey"
		" AND ((n1.n_name = 'FRANCE' AND n2.n_name = 'GERMANY')"
		" OR (n1.n_name = 'GERMANY' AND n2.n_name = 'FRANCE'))"
		" AND l_shipdate BETWEEN date '1995-01-01' AND date '1996-12-31'"
		" GROUP BY n1.n_name, n2.n_name, date_part('year', l_shipdate)" },
	{ "q8", R | N | S | P | C | O | L, "o_year", NULL,
		"SELECT date_part('year', o_orderdate) AS o_year,"
		" sum(CASE WHEN n2.n_name = 'BRAZIL' THEN l_extendedprice * (1 - l_discount) ELSE 0 END)"
		" / sum(l_extendedprice * (1 - l_discount)) AS mkt_share"
		" FROM part, supplier, lineitem, orders, customer, nation n1, nation n2, region"
		" WHERE p_partkey = l_partkey AND s_suppkey = l_suppkey AND l_orderkey = o_orderkey"
		" AND o_custkey = c_custkey AND c_nationkey = n1.n_nationkey"
		" AND n1.n_regionkey = r_regionkey AND r_name = 'AMERICA'"
		" AND s_nationkey = n2.n_nationkey"
		" AND o_orderdate BETWEEN date '1995-01-01' AND date '1996-12-31'"
		" AND p_type = 'ECONOMY ANODIZED STEEL' GROUP BY date_part('year', o_orderdate)" },
	{ "q9", N | S | P | PS | O | L, "nation, o_year", NULL,
		"SELECT n_name AS nation, date_part('year', o_orderdate) AS o_year,"
		" sum(l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity) AS sum_profit"
		" FROM part, supplier, lineitem, partsupp, orders, nation"
		" WHERE s_suppkey = l_suppkey AND ps_suppkey = l_suppkey AND ps_partkey = l_partkey"
		" AND p_partkey = l_partkey AND o_orderkey = l_orderkey AND s_nationkey = n_nationkey"
		" AND p_name LIKE '%green%' GROUP BY n_name, date_part('year', o_orderdate)" },
	{ "q10", N | C | O | L, "c_custkey", NULL,
		"SELECT c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) AS revenue,"
		" c_acctbal, n_name, c_address, c_phone, c_comment"
		" FROM customer, orders, lineitem, nation"
		" WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey"
		" AND o_orderdate >= date '1993-10-01' AND o_orderdate < date '1994-01-01'"
		" AND l_returnflag = 'R' AND c_nationkey = n_nationkey"
		" GROUP BY c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment" },
	{ "q11", N | S | PS, "ps_partkey", NULL,
		"SELECT ps_partkey, sum(ps_supplycost * ps_availqty) AS value"
		" FROM partsupp, supplier, nation"
		" WHERE ps_suppkey = s_suppkey AND s_nationkey = n_nationkey AND n_name = 'GERMANY'"
		" GROUP BY ps_partkey HAVING sum(ps_supplycost * ps_availqty) >"
		" (SELECT sum(ps_supplycost * ps_availqty) * 0.0001 FROM partsupp, supplier, nation"
		" WHERE ps_suppkey = s_suppkey AND s_nationkey = n_nationkey AND n_name = 'GERMANY')" },
	{ "q12", O | L, "l_shipmode", NULL,
		"SELECT l_shipmode,"
		" sum(CASE WHEN o_orderpriority = '1-URGENT' OR o_orderpriority = '2-HIGH' THEN 1 ELSE 0 END)"
		" AS high_line_count,"
		" sum(CASE WHEN o_orderpriority <> '1-URGENT' AND o_orderpriority <> '2-HIGH' THEN 1 ELSE 0"
		" END) AS low_line_count"
		" FROM orders, lineitem WHERE o_orderkey = l_orderkey AND l_shipmode IN ('MAIL', 'SHIP')"
		" AND l_commitdate < l_receiptdate AND l_shipdate < l_commitdate"
		" AND l_receiptdate >= date '1994-01-01' AND l_receiptdate < date '1995-01-01'"
		" GROUP BY l_shipmode" },
	{ "q13", C | O, "c_count", NULL,
		"SELECT c_count, count(*) AS custdist FROM (SELECT c_custkey, count(o_orderkey) AS c_count"
		" FROM customer LEFT OUTER JOIN orders ON c_custkey = o_custkey"
		" AND o_comment NOT LIKE '%special%requests%' GROUP BY c_custkey)"
		" AS c_orders GROUP BY c_count" },
	{ "q14", P | L, NULL, NULL,
		"SELECT 100.00 * sum(CASE WHEN p_type LIKE 'PROMO%' THEN l_extendedprice * (1 - l_discount)"
		" ELSE 0 END) / sum(l_extendedprice * (1 - l_discount)) AS promo_revenue"
		" FROM lineitem, part WHERE l_partkey = p_partkey"
		" AND l_shipdate >= date '1995-09-01' AND l_shipdate < date '1995-10-01'" },
	{ "q15", S | L, "s_suppkey", NULL,
		"WITH revenue (supplier_no, total_revenue) AS"
		" (SELECT l_suppkey, sum(l_extendedprice * (1 - l_discount)) FROM lineitem"
		" WHERE l_shipdate >= date '1996-01-01' AND l_shipdate < date '1996-04-01'"
		" GROUP BY l_suppkey)"
		" SELECT s_suppkey, s_name, s_address, s_phone, total_revenue FROM supplier, revenue"
		" WHERE s_suppkey = supplier_no"
		" AND total_revenue = (SELECT max(total_revenue) FROM revenue)" },
	{ "q16", S | P | PS, "p_brand, p_type, p_size", NULL,
		"SELECT p_brand, p_type, p_size, count(DISTINCT ps_suppkey) AS supplier_cnt"
		" FROM partsupp, part WHERE p_partkey = ps_partkey AND p_brand <> 'Brand#45'"
		" AND p_type NOT LIKE 'MEDIUM POLISHED%' AND p_size IN (49, 14, 23, 45, 19, 3, 36, 9)"
		" AND ps_suppkey NOT IN (SELECT s_suppkey FROM supplier"
		" WHERE s_comment LIKE '%Customer%Complaints%') GROUP BY p_brand, p_type, p_size" },
	{ "q17", P | L, NULL, NULL,
		"SELECT sum(l_extendedprice) / 7.0 AS avg_yearly FROM lineitem, part"
		" WHERE p_partkey = l_partkey AND p_brand = 'Brand#23' AND p_container = 'MED BOX'"
		" AND l_quantity < (SELECT 0.2 * avg(l_quantity) FROM lineitem"
		" WHERE l_partkey = p_partkey)" },
	{ "q18", C | O | L, "o_orderkey", NULL,
		"SELECT c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity)"
		" FROM customer, orders, lineitem WHERE o_orderkey IN (SELECT l_orderkey FROM lineitem"
		" GROUP BY l_orderkey HAVING sum(l_quantity) > 300)"
		" AND c_custkey = o_custkey AND o_orderkey = l_orderkey"
		" GROUP BY c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice" },
	{ "q19", P | L, NULL, NULL,
		"SELECT sum(l_extendedprice * (1 - l_discount)) AS revenue FROM lineitem, part"
		" WHERE p_partkey = l_partkey AND l_shipmode IN ('AIR', 'AIR REG')"
		" AND l_shipinstruct = 'DELIVER IN PERSON' AND ((p_brand = 'Brand#12'"
		" AND p_container IN ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG')"
		" AND l_quantity >= 1 AND l_quantity <= 11 AND p_size BETWEEN 1 AND 5)"
		" OR (p_brand = 'Brand#23'"
		" AND p_container IN ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK')"
		" AND l_quantity >= 10 AND l_quantity <= 20 AND p_size BETWEEN 1 AND 10)"
		" OR (p_brand = 'Brand#34'"
		" AND p_container IN ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG')"
		" AND l_quantity >= 20 AND l_quantity <= 30 AND p_size BETWEEN 1 AND 15))" },
	{ "q20", N | S | P | PS | L, "s_name", NULL,
		"SELECT s_name, s_address FROM supplier, nation WHERE s_suppkey IN (SELECT ps_suppkey"
		" FROM partsupp WHERE ps_partkey IN (SELECT p_partkey FROM part WHERE p_name LIKE 'forest%')"
		" AND ps_availqty > (SELECT 0.5 * sum(l_quantity) FROM lineitem"
		" WHERE l_partkey = ps_partkey AND l_suppkey = ps_suppkey"
		" AND l_shipdate >= date '1994-01-01' AND l_shipdate < date '1995-01-01'))"
		" AND s_nationkey = n_nationkey AND n_name = 'CANADA'" },
	{ "q21", N | S | O | L, "s_name", NULL,
		"SELECT s_name, count(*) AS numwait FROM supplier, lineitem l1, orders, nation"
		" WHERE s_suppkey = l1.l_suppkey AND o_orderkey = l1.l_orderkey AND o_orderstatus = 'F'"
		" AND l1.l_receiptdate > l1.l_commitdate"
		" AND EXISTS (SELECT * FROM lineitem l2 WHERE l2.l_orderkey = l1.l_orderkey"
		" AND l2.l_suppkey <> l1.l_suppkey)"
		" AND NOT EXISTS (SELECT * FROM lineitem l3 WHERE l3.l_orderkey = l1.l_orderkey"
		" AND l3.l_suppkey <> l1.l_suppkey AND l3.l_receiptdate > l3.l_commitdate)"
		" AND s_nationkey = n_nationkey AND n_name = 'SAUDI ARABIA' GROUP BY s_name" },
	{ "q22", C | O, "cntrycode", NULL,
		"SELECT substr(c_phone, 1, 2) AS cntrycode, count(*) AS numcust,"
		" sum(c_acctbal) AS totacctbal FROM customer"
		" WHERE substr(c_phone, 1, 2) IN ('13', '31', '23', '29', '30', '18', '17')"
		" AND c_acctbal > (SELECT avg(c_acctbal) FROM customer WHERE c_acctbal > 0.00"
		" AND substr(c_phone, 1, 2) IN ('13', '31', '23', '29', '30', '18', '17'))"
		" AND NOT EXISTS (SELECT * FROM orders WHERE o_custkey = c_custkey)"
		" GROUP BY substr(c_phone, 1, 2)" },
};
