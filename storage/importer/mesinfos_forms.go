// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"slices"

	"github.com/traboule/traboule/storage/record"
)

// gets is a field and where its value comes from.
func gets(field string, read func(*pilot, branch) (record.Value, error), paths ...string) pilotCell {
	return pilotCell{field, read, paths}
}

func texts(pairs ...string) (cells []pilotCell) {
	for i := 0; i+1 < len(pairs); i += 2 {
		cells = append(cells, gets(pairs[i], asText, pairs[i+1]))
	}
	return cells
}

// allOf joins lists of cells.
func allOf(lists ...[]pilotCell) []pilotCell { return slices.Concat(lists...) }

func one(c ...pilotCell) []pilotCell { return c }

// addressIn are the cells of an address at a path.
func addressIn(path string) []pilotCell {
	return one(
		gets("street", asText, path+".street"), gets("postcode", asText, path+".postcode", path+".postCode", path+".zip"),
		gets("city", asText, path+".city"), gets("country", asText, path+".country"),
	)
}

// lifeIn are the cells of a person at a path, which ends in a point or is empty.
func lifeIn(path string) []pilotCell {
	return allOf(texts(
		"civility", path+"name.prefix", "familyName", path+"name.family", "givenName", path+"name.given", "maidenName", path+"name.maiden",
		"email", path+"email", "homePhone", path+"telHome", "workPhone", path+"telPro", "fax", path+"telFax", "profession", path+"profession",
	), one(
		gets("mobile", asText, path+"telMobile", path+"cellPhone"), gets("birthday", asDay, path+"birthdate"), gets("birthplace", inWords(", "), path+"birthplace"),
	))
}

// statementCells are those of a statement of consumption, whose energy goes into
// the column of its sort.
func statementCells(energy string, lastDay bool) []pilotCell {
	return one(
		gets("meter", asMeter, "contractNumber"), gets("bill", asText, "billNumber"),
		gets("start", periodEdge("start", false), "."), gets("end", periodEdge("end", lastDay), "."),
		gets("nature", asText, "statementReason"), gets("quality", asText, "statementType"), gets("method", asText, "statementCategory"),
		gets(energy, asNumber, "value"),
	)
}

var gasMeasured = one(
	gets("volume", asNumber, "volume"), gets("coefficient", asNumber, "volumeToEnergyCoefficient"), gets("indexEnd", asNumber, "index"),
)

var edelia = one(
	gets("byRegister", inWords("; "), "valuesByCatergory", "valuesByCategory"), gets("cost", asNumber, "cost"), gets("costByRegister", inWords("; "), "costsByCategory", "costByCategory"),
	gets("readings", inWords("; "), "statements", "releve"),
	gets("similarHome", asNumber, "similarHomes.site"), gets("similarMean", asNumber, "similarHomes.average"), gets("similarLeast", asNumber, "similarHomes.least"),
)

var ofStatements = []string{"start", "end", "value", "statementType", "contractNumber"}

// mesinfosForms are the forms of documents. One may be of two: of the kind that
// it is, and of the kind of what is listed in it.
var mesinfosForms = []pilotForm{
	// insurance
	{kind: "insurance-contract", has: []string{"contrat"}, cells: one(
		gets("member", memberOf, "contrat"), gets("contracts", countOf, "contrat"),
	)},
	{kind: "insured-objects", has: []string{"contrat"}, each: "contrat", cells: allOf(texts(
		"member", "societaire", "product", "name", "formula", "formuleBase",
	), one(
		gets("since", asDay, "startDate"), gets("objectSince", asDay, "objects.startDate"), gets("price", asNumber, "montantTarifTtc"), gets("currency", saidCurrency, "."),
		gets("object", objectSort, "objects"), gets("registration", asText, "objects.vehicule.immatriculationVehicule", "objects.bateau.immatriculationBateau"),
	), addressIn("objects.lieu.address"))},
	{kind: "household", has: []string{"foyer"}, each: "foyer.membres", cells: allOf(texts(
		"household", "^foyer.name", "role", "quality", "complement", "^foyer.address.residence", "deliveryOffice", "^foyer.address.deliveryOffice", "insee", "^foyer.address.inseeCode",
	), lifeIn(""), addressIn("^foyer.address"))},
	{kind: "insured-home", has: []string{"home"}, each: "home", cells: allOf(texts(
		"member", "societaire", "nature", "natureLieu", "occupation", "situationJuridiqueLieu", "rooms", "nombrePieces", "belongings", "patrimoineMobilier",
	), addressIn("address"))},
	{kind: "payment-terms", has: []string{"paymentterms"}, cells: allOf(texts(
		"customer", "paymentterms.societaire", "means", "paymentterms.modePaiement", "iban", "paymentterms.rib.iban", "bic", "paymentterms.rib.bic",
	), one(gets("vendor", always("MAIF"), ".")))},
	claim(pilotForm{has: []string{"societaire", "lieuSurvenance"}}),
	claim(pilotForm{has: []string{"insuranceClaim"}, each: "insuranceClaim"}),
	{kind: "customer-profile", has: []string{"societaire.name"}, cells: allOf(lifeIn("societaire."), texts(
		"customer", "societaire.referenceClient", "familySituation", "societaire.familySituation", "activity", "societaire.codeActif", "state", "societaire.codeEtat",
	), one(
		gets("vendor", always("MAIF"), "."), gets("stateDate", asDay, "societaire.dateEtat"), gets("changed", asDay, "societaire.timestampModification"),
	))},

	// suppliers of energy
	{kind: "customer-profile", has: []string{"clientId", "vendor", "name"}, not: []string{"number", "pdl"}, cells: allOf(lifeIn(""), addressIn("address"), texts(
		"vendor", "vendor", "customer", "clientId", "agreement", "numeroAcc", "formattedName", "name.formated", "formattedAddress", "address.formated", "loginEmail", "loginEmail",
		"coHolderFamilyName", "coHolder.family", "coHolderGivenName", "coHolder.given", "coHolderName", "coHolder.formated",
	), one(
		gets("homePhone", asText, "homePhone", "telHome"),
		gets("contactName", asText, "commercialContact.title", "commercialContat.title"), gets("contactPhone", asText, "commercialContact.phone", "commercialContat.phone"),
		gets("contactAddress", asText, "commercialContact.address.formated", "commercialContat.address.formated"),
	))},
	{kind: "electricity-contract", has: []string{"number", "pdl"}, cells: allOf(texts(
		"vendor", "vendor", "customer", "clientId", "contract", "number", "energySort", "energie", "offer", "name", "option", "contractSubcategory1", "status", "status",
		"ended", "terminationGrounds", "registers", "counter.comptage", "meterType", "counter.type", "offpeakHours", "counter.peakHours", "helpPhone", "troubleshootingPhone",
	), one(
		gets("meter", asMeter, "pdl"), gets("subscribedPower", asPower, "power"), gets("since", asDay, "start"), gets("until", asDay, "end"),
		gets("wheels", asInteger, "counter.nombreRoues"), gets("lastReading", asNumber, "counter.dernierIndex"), gets("yearlyEnergy", asNumber, "counter.annualConsumption"),
		gets("nextReading", asDay, "statement.prochaineReleve", "statement.prochainReleve"), gets("readingCloses", asDay, "statement.prochaineDateFermetureReelle"),
		gets("ownReadings", ownReadings, "statement"), gets("services", inWords("\n"), "services"),
	))},
	{kind: "bills", has: []string{"number", "totalPaymentDue"}, cells: allOf(texts("vendor", "vendor", "vendorRef", "number", "customer", "clientId", "title", "title"), one(
		gets("date", asDay, "date"), gets("dueDate", asDay, "paymentDueDate", "scheduledPaymentDate"),
		gets("amount", asNumber, "value"), gets("amountDue", asNumber, "totalPaymentDue"), gets("balanceBefore", asNumber, "balanceBeforeInvoice"), gets("currency", saidCurrency, "."),
	))},
	{kind: "payment-terms", has: []string{"paymentSchedules", "clientId"}, cells: allOf(texts(
		"vendor", "vendor", "customer", "clientId", "means", "paymentMeans", "billFrequency", "billFrequency", "lastType", "dernierReglement.type", "payer", "idPayer",
	), one(
		gets("bank", bankDetail("bank"), "encryptedBankDetails"), gets("bankAddress", bankDetail("bankAddress", "formated"), "encryptedBankDetails"),
		gets("iban", bankDetail("iban"), "encryptedBankDetails"), gets("accountHolder", bankDetail("holder"), "encryptedBankDetails"),
		gets("balance", asNumber, "balance"), gets("nextBill", asDay, "nextBillDate"), gets("lastPayment", asDay, "dernierReglement.date"), gets("lastAmount", asNumber, "dernierReglement.amount"),
		gets("otherPayer", asTruth, "payerDivergent"), gets("mayChange", asTruth, "modifBankDetailsAllowed"), gets("currency", saidCurrency, "."),
	))},
	{kind: "payment-schedule", has: []string{"paymentSchedules", "clientId"}, each: "paymentSchedules", cells: one(
		gets("vendor", asText, "^vendor"), gets("customer", asText, "^clientId"), gets("number", asInteger, "number"), gets("due", asDay, "scheduleDate"), gets("paidOn", asDay, "receiptDate"),
		gets("paid", asTruth, "paid"), gets("amount", asNumber, "amount"), gets("electricityAmount", asNumber, "amountElectricity"), gets("gasAmount", asNumber, "amountGas"), gets("currency", saidCurrency, "."),
	)},
	{kind: "home-energy-profile", has: []string{"beginTs", "housingType"}, cells: allOf(texts(
		"vendor", "origin", "housing", "housingType", "residence", "residenceType", "occupation", "occupationType", "heating", "principalHeatingSystemType", "hotWater", "sanitoryHotWaterType",
	), one(
		gets("since", asInstant, "beginTs"), gets("validated", asTruth, "isProfileValidated"), gets("built", asInteger, "constructionDate"), gets("lowEnergy", asTruth, "isBBC"),
		gets("surface", asNumber, "surface"), gets("occupants", asInteger, "occupantsCount"),
	))},

	// statements of consumption, by what they say of themselves
	{kind: "electricity-load-curve", has: ofStatements, word: "linkyhalfhour", rows: linkyHalfHour},
	{kind: "gas-daily", has: ofStatements, word: "dailygaz", cells: allOf(gasMeasured, one(
		gets("meter", asMeter, "contractNumber"), gets("day", asDay, "start"), gets("start", periodEdge("start", false), "."), gets("end", periodEdge("end", false), "."),
		gets("energy", asNumber, "value"), gets("quality", asText, "statementType"),
	))},
	{kind: "gas-period", has: ofStatements, word: "gazparmonthly", cells: allOf(gasMeasured, statementCells("energy", true))},
	{kind: "gas-period", has: ofStatements, word: "edeliamonthlyga", cells: statementCells("estimated", false)},
	{kind: "gas-period", has: ofStatements, word: "edeliayearlyga", cells: statementCells("estimatedYear", false)},
	{kind: "electricity-period", has: ofStatements, word: "edeliamonthlyelec", cells: allOf(edelia, statementCells("estimated", false))},
	{kind: "electricity-period", has: ofStatements, word: "edeliayearlyelec", cells: allOf(edelia, statementCells("estimatedYear", false))},
	{kind: "electricity-period", has: ofStatements, word: "releve_", cells: statementCells("energy", true)},

	// Enedis
	{kind: "customer-profile", has: []string{"customer_id", "identity"}, cells: allOf(texts(
		"customer", "customer_id", "segment", "segment", "civility", "identity.natural_person.title", "givenName", "identity.natural_person.name", "familyName", "identity.natural_person.last_name",
	), one(gets("vendor", always("Enedis"), ".")))},
	{kind: "customer-address", has: []string{"customer_id", "usage_point_address"}, cells: allOf(texts(
		"customer", "customer_id", "segment", "segment", "postcode", "usage_point_address.zip", "city", "usage_point_address.city", "country", "usage_point_address.country",
		"locality", "usage_point_address.locality", "insee", "usage_point_address.geo_point",
	), one(
		gets("vendor", always("Enedis"), "."), gets("street", joined("street_number", "street"), "usage_point_address"),
		gets("complement", joined("additional_adress1", "additional_adress2"), "usage_point_address"),
	))},
	{kind: "electricity-contract", has: []string{"usage_points", "usage_points.usage_point_id"}, not: []string{"usage_points.contracts"}, each: "usage_points", cells: one(
		gets("meter", asMeter, "usage_point_id"), gets("subscribedPower", asPower, "power_subscribed"), gets("offpeakHours", asText, "time_slot"),
	)},
	{kind: "electricity-daily", has: []string{"usage_point", "usage_point.meter_reading", "usage_point.meter_reading.interval_block"}, rows: enedisMeasure},

	// telephone and television
	{kind: "video-history", has: []string{"timestamp", "action", "content", "content.title"}, cells: allOf(texts(
		"customer", "clientId", "action", "action", "title", "content.title", "subtitle", "content.subTitle", "type", "content.type", "quality", "content.quality", "country", "content.country",
		"programme", "content.id", "edition", "content.longId", "adult", "content.adultLevel", "offer", "details.offer", "offerName", "details.offerName", "service", "details.service",
		"network", "details.network", "bearer", "details.techno", "device", "details.device", "platform", "details.platform",
	), one(
		gets("time", asInstant, "timestamp"), gets("duration", asNumber, "content.duration"), gets("watched", asNumber, "viewingDuration"), gets("price", asNumber, "price"),
		gets("currency", saidCurrency, "."), gets("year", asInteger, "content.publicationYear"), gets("ageRating", asInteger, "content.csaCode"),
	))},
	{kind: "call-log", has: []string{"timestamp", "msisdn", "partner"}, cells: allOf(texts(
		"type", "type", "partner", "partner", "network", "networkType", "endCause", "endCause",
	), one(
		gets("line", asMeter, "msisdn"), gets("time", asInstant, "timestamp"), gets("duration", chipped("s"), "."), gets("messages", chipped("M"), "."), gets("place", asPlace, "."),
	))},
	{kind: "positions", has: []string{"timestamp", "msisdn", "latitude", "longitude"}, not: []string{"partner"}, cells: one(
		gets("time", asInstant, "timestamp"), gets("place", asPlace, "."), gets("accuracy", asNumber, "radius"), gets("device", asMeter, "msisdn"), gets("source", always("cell"), "."),
	)},

	// bank
	{kind: "bank-operations", has: []string{"amount", "date", "bankAccount"}, cells: one(
		gets("account", asText, "bankAccount"), gets("date", asDay, "date"), gets("label", asText, "title", "raw"), gets("originalBankLabel", asText, "raw"),
		gets("amount", asNumber, "amount"), gets("typeId", asText, "operationTypeID"), gets("currency", saidCurrency, "."),
	)},
	{kind: "bank-operation-type", has: []string{"name", "weboobvalue"}, cells: one(
		gets("id", asText, "_id"), gets("name", asText, "name"), gets("code", asInteger, "weboobvalue"),
	)},
	{kind: "bills", has: []string{"date", "vendor", "amount"}, not: []string{"bankAccount", "number"}, weak: true, cells: one(
		gets("vendor", asText, "vendor"), gets("date", asDay, "date"), gets("amount", asNumber, "amount"), gets("type", asText, "type"), gets("currency", saidCurrency, "."),
	)},
}

// claim is a form of claims: a document each, or a list in one.
func claim(f pilotForm) pilotForm {
	f.kind = "insurance-claim"
	f.cells = allOf(texts(
		"member", "societaire", "type", "type", "scene", "lieuSurvenance", "nature", "natureLieu", "registration", "immatriculationVehicule", "driverNumber", "driverNumber",
		"driverCivility", "driver.prefix", "driverFamilyName", "driver.family", "driverGivenName", "driver.given",
	), addressIn("address"), one(
		gets("reference", asText, "ref", "referenceSinistre"), gets("time", asInstant, "timestamp", "horodatage"), gets("sceneType", asText, "libelleTypeLieuSurvenance", "typeLieuSurvenance"),
	))
	return f
}
