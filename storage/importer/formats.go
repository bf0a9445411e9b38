// SPDX-License-Identifier: Apache-2.0

package importer

// Formats are all importers. The order means nothing: the surest reads a file.
var Formats = []Format{
	// electricity, gas, water
	enedisJSON, enedisCSV, edfCSV, grdfJSON, grdfSheet, daysJSON, waterCSV, eco2mixCSV,

	// banks
	ofx, camt, qif, bankCSV, csvMapped,

	ciiFormat, pdfFormat, receiptCSV, receiptJSON, // invoices, bills, receipts

	// places
	googleRecords, googleSemantic, googleTimeline, googleEdits, googleSettings, googleEncrypted,
	gpx, tcx, geoJSON, overland, ownTracksRec, ownTracksJSON, polarsteps, positionCSV,

	mesinfosJSON, mesinfosCatalogue, // the pilot's synthetic sets, and what it says of them

	// known, and refused by name
	kml, kmz, gtfs, ubl, greenButton, appleHealth, fit, nmea, openStreetMap, iCalendar, vCard, mbox, topoJSON, googleActivity,
}
