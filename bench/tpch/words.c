#include "bench/tpch/words.h"

#define WORDS(name, ...) \
	static const char *const LIST_##name[] = { __VA_ARGS__ }; \
	const struct words WORDS_##name = { sizeof(LIST_##name) / sizeof(*LIST_##name), \
		LIST_##name }

WORDS(REGION, "AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST");
WORDS(NATION, "ALGERIA", "ARGENTINA", "BRAZIL", "CANADA", "EGYPT", "ETHIOPIA", "FRANCE", "GERMANY",
	"INDIA", "INDONESIA", "IRAN", "IRAQ", "JAPAN", "JORDAN", "KENYA", "MOROCCO", "MOZAMBIQUE",
	"PERU", "CHINA", "ROMANIA", "SAUDI ARABIA", "VIETNAM", "RUSSIA", "UNITED KINGDOM",
	"UNITED STATES");
const unsigned char WORDS_NATION_REGION[] = { 0, 1, 1, 1, 4, 0, 3, 3, 2, 2, 4, 4, 2, 4, 0, 0, 0, 1,
	2, 3, 4, 2, 3, 3, 1 };
WORDS(PART_NAME, "almond", "antique", "aquamarine", "azure", "beige", "bisque", "black", "blanched",
	"blue", "blush", "brown", "burlywood", "burnished", "chartreuse", "chiffon", "chocolate",
	"coral", "cornflower", "cornsilk", "cream", "cyan", "dark", "deep", "dim", "dodger", "drab",
	"firebrick", "floral", "forest", "frosted", "gainsboro", "ghost", "goldenrod", "green",
	"grey", "honeydew", "hot", "indian", "ivory", "khaki", "lace", "lavender", "lawn", "lemon",
	"light", "lime", "linen", "magenta", "maroon", "medium", "metallic", "midnight", "mint",
	"misty", "moccasin", "navajo", "navy", "olive", "orange", "orchid", "pale", "papaya",
	"peach", "peru", "pink", "plum", "powder", "puff", "purple", "red", "rose", "rosy", "royal",
	"saddle", "salmon", "sandy", "seashell", "sienna", "sky", "slate", "smoke", "snow",
	"spring", "steel", "tan", "thistle", "tomato", "turquoise", "violet", "wheat", "white",
	"yellow");
WORDS(TYPE_1, "STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO");
WORDS(TYPE_2, "ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED");
WORDS(TYPE_3, "TIN", "NICKEL", "BRASS", "STEEL", "COPPER");
WORDS(CONTAINER_1, "SM", "LG", "MED", "JUMBO", "WRAP");
WORDS(CONTAINER_2, "CASE", "BOX", "BAG", "JAR", "PKG", "PACK", "CAN", "DRUM");
WORDS(SEGMENT, "AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY", "HOUSEHOLD");
WORDS(PRIORITY, "1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW");
WORDS(INSTRUCTION, "DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN");
WORDS(MODE, "REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB");
WORDS(TEXT, "foxes", "ideas", "theodolites", "pinto beans", "instructions", "dependencies",
	"excuses", "platelets", "asymptotes", "courts", "dolphins", "multipliers", "sauternes",
	"warthogs", "frets", "dinos", "attainments", "somas", "braids", "hockey players", "frays",
	"warhorses", "dugouts", "notornis", "epitaphs", "pearls", "tithes", "waters", "orbits",
	"gifts", "sheaves", "depths", "sentiments", "decoys", "realms", "pains", "grouches",
	"escapades", "packages", "requests", "accounts", "deposits", "sleep", "wake", "are",
	"cajole", "haggle", "nag", "use", "boost", "affix", "detect", "integrate", "maintain",
	"nod", "was", "lose", "sublate", "solve", "thrash", "promise", "engage", "hinder", "print",
	"doze", "run", "dazzle", "snooze", "unwind", "furious", "sly", "careful", "blithe", "quick",
	"fluffy", "slow", "quiet", "ruthless", "thin", "close", "dogged", "daring", "brave",
	"stealthy", "permanent", "enticing", "idle", "busy", "regular", "final", "ironic", "even",
	"bold", "silent", "special", "pending", "express", "unusual", "sometimes", "always",
	"never", "furiously", "slyly", "carefully", "blithely", "quickly", "fluffily", "slowly");
