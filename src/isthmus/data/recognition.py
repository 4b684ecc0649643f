"""Recognition of file formats by their first bytes, else by their suffix: one table of signatures for all readers.

A file of a format that is known and not read is refused by its name and with a way to open it: its container's bytes
are nobody's data. Text begins with no signature, and stays what it is.
"""

from __future__ import annotations

import contextlib
import re
import zipfile
import zlib
from pathlib import Path, PurePath
from typing import NamedTuple

__all__ = [
    "HEAD_BYTES",
    "IMAGE_SUFFIXES",
    "JSON",
    "JSON_LINES",
    "Format",
    "first_bytes",
    "is_text",
    "recognise",
    "recognise_folder",
]

HEAD_BYTES = 64 * 2**10
TAR_AT, DICOM_AT, NIFTI_AT = 257, 128, 344
MPEG = (0xFB, 0xFA, 0xF3, 0xF2, 0xE3, 0xE2)  # second byte of MP3: MPEG 1, 2 and 2.5, with a checksum or without


class Format(NamedTuple):
    """A kind of file.

    Parameters
    ----------
    name : str
        Of the format; of one that is not read with its article, as a sentence goes on after "is".
    reader : str or None
        What reads it: "image", "npy", "npz", "parquet", "arrow"; None if nothing does.
    advice : str
        What to do instead, for one that is not read.
    """

    name: str
    reader: str | None = None
    advice: str = ""


IMAGE_SUFFIXES = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "AVIF": (".avif",),
    "Netpbm": (".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".pfm"),
}


WRITTEN = (".txt", ".csv", ".tsv", ".tab", ".md", ".log")  # suffixes of text, whatever it begins with

# --- what is told to do ----------------------------------------------------------------------------------------------

ARRAY = "open the array that {} gives, or save it as .npy"
FRAME = "open the data frame that {} gives, or save it as .parquet"
UNPACK = "unpack it first with {}"
SAVE_IMAGE = "save it as PNG or TIFF, as with ImageMagick: magick FILE out.png"
DEVELOP = "develop it to a TIFF file first, as with dcraw -T FILE"
SAVE_CSV = "save the sheet as CSV, or open the data frame that pandas.read_excel gives"
SOUND = "open the array that soundfile.read(FILE)[0] gives, cut into pieces of one length"
VIDEO = "take its frames out as images first: ffmpeg -i FILE frames/%05d.png"
WORDS = "take its text out into a .txt file first"
PICKLE = "it may run code when it is opened, so load it yourself, and open the array or the data frame in it"
MODEL = "it holds a model and no records"
DICOM = ARRAY.format("pydicom.dcmread(FILE).pixel_array")
VOLUME = ARRAY.format("nibabel.load(FILE).get_fdata()")
PROGRAM = "to learn its bytes as they are give as_bytes=True (--as-bytes)"
SEVERAL = "take the array or the table that you want out of it"


def _not_read(name: str, advice: str, *signatures: tuple[int, bytes]) -> list[tuple[int, bytes, Format]]:
    return [(at, magic, Format(name, None, advice)) for at, magic in signatures]


def _image(name: str, *signatures: bytes) -> list[tuple[int, bytes, Format]]:
    return [(0, magic, Format(name, "image")) for magic in signatures]


# Where the bytes stand, the bytes, what they tell. The first that fits counts, so the longer come before the shorter.
SIGNATURES = [
    # Its first 128 bytes are free, and often those of a TIFF file without pages.
    *_not_read("a DICOM file", DICOM, (DICOM_AT, b"DICM")),
    *_image("PNG", b"\x89PNG\r\n\x1a\n"),
    *_image("JPEG", b"\xff\xd8\xff"),
    *_image("GIF", b"GIF87a", b"GIF89a"),
    *_image("TIFF", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    (0, b"\x93NUMPY", Format("NumPy array (.npy)", "npy")),
    (0, b"PAR1", Format("Parquet", "parquet")),
    (0, b"ARROW1\0\0", Format("Arrow IPC", "arrow")),
    *_not_read("a Feather file of version 1", "write it again with pyarrow.feather.write_feather", (0, b"FEA1")),
    *_not_read("an encrypted Parquet file", "decrypt it first with pyarrow", (0, b"PARE")),
    *_not_read("an ORC file", FRAME.format("pandas.read_orc"), (0, b"ORC")),
    *_not_read("an Avro file", FRAME.format("polars.read_avro"), (0, b"Obj\x01")),
    # Arrays and volumes of the sciences.
    *_not_read("a MATLAB file", ARRAY.format("scipy.io.loadmat(FILE)[NAME]"), (0, b"MATLAB 5.0 MAT-file")),
    *_not_read("a MATLAB file of version 7.3", ARRAY.format("h5py.File(FILE)[NAME][...]"), (0, b"MATLAB 7.3 MAT-file")),
    *_not_read(
        "a NetCDF file", ARRAY.format("xarray.open_dataset(FILE)[NAME].values"),
        (0, b"CDF\x01"), (0, b"CDF\x02"), (0, b"CDF\x05"),
    ),
    *_not_read("an HDF4 file", ARRAY.format("pyhdf.SD"), (0, b"\x0e\x03\x13\x01")),
    *_not_read("a FITS file", ARRAY.format("astropy.io.fits.getdata"), (0, b"SIMPLE  =")),
    *_not_read(
        "a NIfTI file", VOLUME,
        (NIFTI_AT, b"n+1\0"), (NIFTI_AT, b"ni1\0"), (4, b"n+2\0\r\n\x1a\n"), (4, b"ni2\0\r\n\x1a\n"),
    ),
    *_not_read("an NRRD file", ARRAY.format("nrrd.read(FILE)[0]"), (0, b"NRRD000")),
    *_not_read("a GRIB file", ARRAY.format("xarray.open_dataset with cfgrib"), (0, b"GRIB")),
    *_not_read("a ROOT file", ARRAY.format("uproot.open(FILE)[NAME].arrays"), (0, b"root\0")),
    *_not_read("a BDF recording", ARRAY.format("mne.io.read_raw_bdf"), (0, b"\xffBIOSEMI")),
    *_not_read("a LAS point cloud", ARRAY.format("laspy.read"), (0, b"LASF")),
    *_not_read("a shapefile", FRAME.format("geopandas.read_file"), (0, b"\0\0\x27\x0a")),
    *_not_read("a Zeiss CZI file", "export it as OME-TIFF", (0, b"ZISRAWFILE")),
    *_not_read("a Nikon ND2 file", "export it as OME-TIFF", (0, b"\xda\xce\xbe\x0a")),
    *_not_read("a Matrix Market file", ARRAY.format("scipy.io.mmread(FILE).toarray()"), (0, b"%%MatrixMarket")),
    # Tables of statistics programs, and of R.
    *_not_read("an SPSS file", FRAME.format("pandas.read_spss"), (0, b"$FL2"), (0, b"$FL3")),
    *_not_read("a Stata file", FRAME.format("pandas.read_stata"), (0, b"<stata_dta>")),
    *_not_read(
        "a SAS file", FRAME.format("pandas.read_sas"),
        (0, b"HEADER RECORD*******"), (0, bytes(12) + b"\xc2\xea\x81\x60"),
    ),
    *_not_read(
        "an R file", "write it from R with arrow::write_parquet or write.csv",
        (0, b"RDX2\n"), (0, b"RDX3\n"), (0, b"RDA2\n"), (0, b"RDA3\n"),
        (0, b"X\n\0\0\0\x02"), (0, b"X\n\0\0\0\x03"),
    ),
    *_not_read("an SQLite database", FRAME.format("pandas.read_sql"), (0, b"SQLite format 3\0")),
    *_not_read("a DuckDB database", FRAME.format("duckdb.connect(FILE).sql(...).df()"), (8, b"DUCK")),
    *_not_read("an LMDB database", SEVERAL, (16, b"\xde\xc0\xef\xbe")),
    # Pictures that are not read, sound, film.
    *_not_read(
        "a JPEG 2000 image", "save it as TIFF: opj_decompress -i FILE -o out.tif",
        (0, b"\0\0\0\x0cjP  \r\n\x87\n"), (0, b"\xff\x4f\xff\x51"),
    ),
    *_not_read(
        "a JPEG XL image", "save it as PNG: djxl FILE out.png",
        (0, b"\0\0\0\x0cJXL \r\n\x87\n"), (0, b"\xff\x0a"),
    ),
    *_not_read("a Photoshop image", SAVE_IMAGE, (0, b"8BPS")),
    *_not_read("an OpenEXR image", ARRAY.format("cv2.imread(FILE, -1)"), (0, b"\x76\x2f\x31\x01")),
    *_not_read("a Radiance image", ARRAY.format("cv2.imread(FILE, -1)"), (0, b"#?RADIANCE"), (0, b"#?RGBE")),
    *_not_read("a DDS texture", SAVE_IMAGE, (0, b"DDS \x7c\0\0\0")),
    *_not_read("a KTX texture", SAVE_IMAGE, (0, b"\xabKTX ")),
    *_not_read("a QOI image", SAVE_IMAGE, (0, b"qoif\0")),
    *_not_read("a JPEG XR image", SAVE_IMAGE, (0, b"II\xbc")),
    *_not_read("a BPG image", SAVE_IMAGE, (0, b"BPG\xfb")),
    *_not_read("a FLIF image", SAVE_IMAGE, (0, b"FLIF")),
    *_not_read("an Apple icon", SAVE_IMAGE, (0, b"icns\0")),
    *_not_read("a GIMP image", SAVE_IMAGE, (0, b"gimp xcf ")),
    *_not_read("an SGI image", SAVE_IMAGE, (0, b"\x01\xda\0\x01"), (0, b"\x01\xda\x01\x01"), (0, b"\x01\xda\x01\x02")),
    *_not_read("a Windows metafile", SAVE_IMAGE, (0, b"\xd7\xcd\xc6\x9a"), (40, b" EMF\0\0\x01\0")),
    *_not_read("a DjVu document", SAVE_IMAGE, (0, b"AT&TFORM")),
    *_not_read("a FLAC recording", SOUND, (0, b"fLaC")),
    *_not_read("an Ogg recording", SOUND, (0, b"OggS")),
    *_not_read("an MP3 recording", SOUND, (0, b"ID3"), *((0, bytes([0xFF, second])) for second in MPEG)),
    *_not_read("an AAC recording", SOUND, (0, b"\xff\xf1"), (0, b"\xff\xf9"), (0, b"ADIF")),
    *_not_read("an AMR recording", SOUND, (0, b"#!AMR")),
    *_not_read("a CAF recording", SOUND, (0, b"caff\0\x01")),
    *_not_read("a VOC recording", SOUND, (0, b"Creative Voice File")),
    *_not_read("a Wave64 recording", SOUND, (0, b"riff\x2e\x91\xcf\x11")),
    *_not_read("an AIFF recording", SOUND, (8, b"AIFF"), (8, b"AIFC")),
    *_not_read("an AU recording", SOUND, (0, b".snd\0")),
    *_not_read("a MIDI file", "turn it into arrays with pretty_midi", (0, b"MThd\0")),
    *_not_read("a Matroska or WebM film", VIDEO, (0, b"\x1a\x45\xdf\xa3")),
    *_not_read("an MPEG film", VIDEO, (0, b"\0\0\x01\xba"), (0, b"\0\0\x01\xb3")),
    *_not_read("a Flash film", VIDEO, (0, b"FLV\x01")),
    *_not_read("a RealMedia film", VIDEO, (0, b".RMF\0")),
    *_not_read("a film without packing (YUV4MPEG2)", VIDEO, (0, b"YUV4MPEG2 ")),
    *_not_read("a Windows Media film or recording", VIDEO, (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11")),
    # Models and programs.
    *_not_read("a GGUF file", MODEL, (0, b"GGUF")),
    *_not_read("a TensorFlow Lite file", MODEL, (4, b"TFL3")),
    *_not_read("a program", PROGRAM, (0, b"\x7fELF"), (0, b"\xcf\xfa\xed\xfe"), (0, b"\0asm")),
    *_not_read("a program or a Java class", PROGRAM, (0, b"\xca\xfe\xba\xbe")),
    # Documents.
    *_not_read("a PDF document", WORDS, (0, b"%PDF-")),
    *_not_read("a PostScript document", WORDS, (0, b"%!PS")),
    *_not_read("an RTF document", WORDS, (0, b"{\\rtf")),
    *_not_read("a binary property list", SEVERAL, (0, b"bplist00")),
    # Packed files.
    *_not_read("packed with Zstandard", UNPACK.format("zstd -d"), (0, b"\x28\xb5\x2f\xfd")),
    *_not_read("packed with xz", UNPACK.format("xz -d"), (0, b"\xfd7zXZ\0")),
    *_not_read("packed with LZ4", UNPACK.format("lz4 -d"), (0, b"\x04\x22\x4d\x18")),
    *_not_read("packed with lzip", UNPACK.format("lzip -d"), (0, b"LZIP\x01")),
    *_not_read("packed with compress", UNPACK.format("uncompress"), (0, b"\x1f\x9d")),
    *_not_read("packed with Snappy", UNPACK.format("python -m snappy -d"), (0, b"\xff\x06\0\0sNaPpY")),
    *_not_read("an empty ZIP archive", UNPACK.format("unzip"), (0, b"PK\x05\x06")),
    *_not_read("a 7z archive", UNPACK.format("7z x"), (0, b"7z\xbc\xaf\x27\x1c")),
    *_not_read("a RAR archive", UNPACK.format("unrar x"), (0, b"Rar!\x1a\x07")),
    *_not_read("a tar archive", UNPACK.format("tar -xf"), (TAR_AT, b"ustar")),
]  # fmt: skip

# Signatures with a gap, and those that a text could have without it.
PATTERNS = [
    (rb"P[1-6]\s+(#[^\n]*\n\s*)*\d+\s+\d+\s|P7\n|P[Ff]4?\s+\d+\s+\d+\s", Format("Netpbm", "image")),
    (rb"BM.{4}\0{4}.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", Format("BMP", "image")),
    (rb"\xff{4}.{2}[\0-\x0f]\0[\x08-\x20]\0{3}", Format("Arrow IPC", "arrow")),  # a stream: the length of its schema
    (rb"II\*\0.{4}CR\x02|IIRO|IIRS|MMOR|IIU\0|FUJIFILMCCD-RAW|.{4}ftypcrx", Format("a raw photograph", None, DEVELOP)),
    (rb"RIFF.{4}WEBP", Format("WEBP", "image")),
    (rb".{4}ftyp(?=.{0,64}avi[fs])", Format("AVIF", "image")),
    (rb"(RIFF|RF64|riff).{4}WAVE", Format("a WAV recording", None, ARRAY.format("scipy.io.wavfile.read(FILE)[1]"))),
    (rb"\xff\xd8(\xff\xe8.{0,64})?\xff\xf7", Format("a JPEG-LS image", None, SAVE_IMAGE)),
    (rb"RIFF.{4}AVI ", Format("an AVI film", None, VIDEO)),
    (rb"G[\x40\x60][\0\x11].{185}G.{187}G", Format("an MPEG film (transport stream)", None, VIDEO)),
    (rb".{4}ftyp(hei[cfmsx]|hev[cmsx]|mif1|msf1)", Format("an HEIC image", None, SAVE_IMAGE)),
    (rb".{4}ftyp(M4A|M4B)", Format("an MP4 recording", None, SOUND)),
    (rb".{4}(ftyp|moov|mdat)", Format("an MP4 or QuickTime film", None, VIDEO)),
    (rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", Format("packed with bzip2", None, UNPACK.format("bzip2 -d"))),
    (rb"MZ.{56,}PE\0\0", Format("a program", None, PROGRAM)),
    (rb"\x80[\x02\x03][}\](c\x8aXKqN]|\x80[\x04\x05]\x95", Format("a Python pickle", None, PICKLE)),
    (rb".{3}[\0-\x07]\0{4}\{\s*\"", Format("a safetensors file", None, MODEL)),
]

H5, H5_AT = b"\x89HDF\r\n\x1a\n", (0, 512, 1024, 2048)
H5_KINDS = {
    ".h5ad": Format("an HDF5 file (AnnData)", None, "open adata.X of anndata.read_h5ad, or adata.to_df()"),
    ".nc": Format("an HDF5 file (NetCDF 4)", None, ARRAY.format("xarray.open_dataset(FILE)[NAME].values")),
    ".mat": Format("an HDF5 file (MATLAB 7.3)", None, ARRAY.format("h5py.File(FILE)[NAME][...]")),
    ".loom": Format("an HDF5 file (Loom)", None, "open adata.X of anndata.read_loom"),
    ".keras": Format("a Keras model", None, MODEL),
}
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

# Formats that have no signature, or one that text could have; the suffix tells them.
BINARY_SUFFIXES = {
    (".dta",): Format("a Stata file", None, FRAME.format("pandas.read_stata")),
    (".h5", ".hdf5", ".hdf", ".h5ad"): Format("an HDF5 file", None, ARRAY.format("h5py.File(FILE)[NAME][...]")),
    (".mat",): Format("a MATLAB file", None, ARRAY.format("scipy.io.loadmat(FILE)[NAME]")),
    (".rds", ".rdata", ".rda"): Format("an R file", None, "write it from R with arrow::write_parquet or write.csv"),
    (".pkl", ".pickle", ".joblib"): Format("a Python pickle", None, PICKLE),
    (".pt", ".pth", ".ckpt"): Format("a PyTorch file", None, PICKLE),
    (".onnx",): Format("an ONNX model", None, MODEL),
    (".pb",): Format("a TensorFlow model", None, MODEL),
    (".safetensors",): Format("a safetensors file", None, MODEL),
    (".tfrecord", ".tfrecords"): Format("a TFRecord file", None, ARRAY.format("tensorflow.data.TFRecordDataset")),
    (".lmdb", ".mdb"): Format("a database", None, SEVERAL),
    (".edf",): Format("an EDF recording", None, ARRAY.format("mne.io.read_raw_edf")),
    (".mgz", ".mgh"): Format("a FreeSurfer volume", None, VOLUME),
    (".dcm", ".dicom"): Format("a DICOM file", None, DICOM),
    (".img", ".hdr"): Format("an image volume", None, VOLUME),
    (".tga", ".ico", ".cur", ".heic", ".heif", ".pcx"): Format("an image", None, SAVE_IMAGE),
}
TEXT_SUFFIXES = {
    (".mtx",): Format("a Matrix Market file", None, ARRAY.format("scipy.io.mmread(FILE).toarray()")),
    (".arff",): Format(
        "an ARFF file", None, "its lines after @data are CSV: sed '1,/@[Dd][Aa][Tt][Aa]/d' FILE > out.csv"
    ),
    (".svm", ".svmlight", ".libsvm"): Format(
        "an SVMlight file", None, "open the array that sklearn.datasets.load_svmlight_file(FILE)[0].toarray() gives"
    ),
    (".mha", ".mhd"): Format("a MetaImage volume", None, ARRAY.format("SimpleITK.ReadImage")),
    (".geojson", ".topojson"): Format("a map (GeoJSON)", None, FRAME.format("geopandas.read_file")),
    (".svg",): Format("an SVG drawing", None, "draw it as PNG first: rsvg-convert FILE -o out.png"),
    (".por",): Format("an SPSS file", None, FRAME.format("pyreadstat.read_por")),
}
JSON = Format(
    "a JSON document", None, "write its records one a line, as jq -c '.[]' FILE > records.jsonl does for an array"
)
JSON_LINES = Format("JSON lines", "json")

ZIPPED = [  # a name inside the archive, and what it tells
    (r"xl/", Format("an Excel workbook", None, SAVE_CSV)),
    (r"word/", Format("a Word document", None, WORDS)),
    (r"ppt/", Format("a PowerPoint document", None, WORDS)),
    (r"(.*/)?data\.pkl$", Format("a PyTorch file", None, PICKLE)),
    (r"(.*/)?(zarr\.json|\.zgroup|\.zarray)$", Format("a packed Zarr store", None, ARRAY.format("zarr.open"))),
    (r"model\.weights\.h5$", Format("a Keras model", None, MODEL)),
    (r"META-INF/MANIFEST\.MF$", Format("a Java archive", None, PROGRAM)),
    (r"content\.xml$", Format("an OpenDocument file", None, "save it as CSV or plain text")),
    (r"META-INF/container\.xml$", Format("an e-book", None, WORDS)),
    (r"[^/]*\.npy$", Format("NumPy archive (.npz)", "npz")),
]  # fmt: skip
SPARSE = Format(
    "a sparse matrix", None, "open the array that scipy.sparse.load_npz(FILE).toarray() gives, or save it as .npy"
)
ZIP = Format("a ZIP archive", None, UNPACK.format("unzip"))

FOLDERS = {  # a file inside, and what it tells of its folder
    (".zgroup", ".zarray", ".zattrs", "zarr.json"): Format(
        "a Zarr store", None, "open the array that zarr.open(FOLDER)[...] gives, or save it as .npy"
    ),
    ("data.mdb",): Format("an LMDB database", None, SEVERAL),
    ("saved_model.pb",): Format("a TensorFlow model", None, MODEL),
    ("_delta_log",): Format("a Delta table", None, "open the data frame that polars.read_delta gives"),
    ("dataset_dict.json", "data-00000-of-00001.arrow"): Format(
        "a set of Hugging Face", None, "write it with datasets.load_from_disk(FOLDER).to_parquet"
    ),
}


# --- recognition -----------------------------------------------------------------------------------------------------


def first_bytes(path: Path, size: int = HEAD_BYTES) -> bytes:
    """Return the first bytes of a file."""
    with path.open("rb") as file:
        return file.read(size)


def recognise(head: bytes, name: str | PurePath = "", archive: Path | None = None) -> Format | None:
    """Return what a file is, or None for text, text tables, and bytes of no known format.

    Parameters
    ----------
    head : bytes
        Its first bytes, as many as :data:`HEAD_BYTES` where there are so many.
    name : str or PurePath, default=""
        Its name, for the formats without a signature.
    archive : Path or None, default=None
        Where it lies, to look into a ZIP archive.
    """
    suffixes = [suffix.lower() for suffix in PurePath(name).suffixes]
    suffix = suffixes[-1] if suffixes else ""
    if head.startswith(b"\x1f\x8b"):
        return _recognise_packed(head, PurePath(name), suffix)
    if head.startswith(b"PK\x03\x04"):
        return _recognise_zip(archive) if archive is not None else ZIP
    if any(head.startswith(H5, at) for at in H5_AT):
        return H5_KINDS.get(suffix, _by_suffix(BINARY_SUFFIXES, ".h5"))
    if head.startswith(OLE):
        excel = suffix in (".xls", ".xlt")
        return Format("an Excel workbook", None, SAVE_CSV) if excel else Format("a document of Office", None, WORDS)
    text = is_text(head)
    for pattern, found in PATTERNS:
        # A text may begin like the header of a Netpbm file, whose pixels may be digits.
        if re.match(pattern, head, re.DOTALL) and not (text and suffix in WRITTEN):
            return found
    for at, magic, found in SIGNATURES:
        # It may begin with a word of a few letters; a format that begins so holds other bytes soon.
        if head.startswith(magic, at) and not (text and len(magic) < 5 and magic.isalnum()):
            return found
    if not text:
        return _by_suffix(BINARY_SUFFIXES, suffix)
    if suffix in (".jsonl", ".ndjson"):
        return JSON_LINES
    if suffix == ".json":
        return JSON_LINES if re.match(rb"\s*\{.*\}\s*\n\s*\{", head[: head.rfind(b"\n") + 2]) else JSON
    return _by_suffix(TEXT_SUFFIXES, suffix)


def _by_suffix(table: dict[tuple[str, ...], Format], suffix: str) -> Format | None:
    return next((found for suffixes, found in table.items() if suffix in suffixes), None)


def _recognise_packed(head: bytes, name: PurePath, suffix: str) -> Format | None:
    """Return what a gzip-packed file is, by what is packed in it; None where the packed file is read."""
    inside = b""
    with contextlib.suppress(zlib.error):
        inside = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, HEAD_BYTES)
    found = recognise(inside, name.with_suffix("") if suffix == ".gz" else name)
    if found is not None and found.reader is None:
        return found
    if suffix == ".gz" and (found is None or found.reader == "json"):
        return found
    what = f"packed with gzip ({found.name} inside)" if found else "packed with gzip"
    repair = "unpack it with gunzip" if found else "give it a name that ends in .gz, or unpack it with gunzip"
    return Format(what, None, repair)


def _recognise_zip(path: Path) -> Format:
    """Return what a ZIP archive is, by the names in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return Format("NumPy archive (.npz)", "npz") if path.suffix.lower() == ".npz" else ZIP
    if {"format.npy", "shape.npy", "data.npy"}.issubset(names):
        return SPARSE
    for pattern, found in ZIPPED:
        if any(re.match(pattern, name) for name in names):
            return found
    return Format("NumPy archive (.npz)", "npz") if path.suffix.lower() == ".npz" else ZIP


def recognise_folder(folder: Path) -> Format | None:
    """Return what a folder is that programs keep as one thing, or None."""
    return next((found for names, found in FOLDERS.items() if any((folder / name).exists() for name in names)), None)


def is_text(head: bytes) -> bool:
    """Return whether bytes look like text: UTF-8, UTF-16 or 32 with their mark, or letters of one byte each."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return True
    # What no text has: control characters other than tab, line ends, form feed, backspace and escape.
    if head.translate(None, CONTROL) != head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            letters = sum(byte >= 0x80 for byte in head)
            return letters < len(head) / 2
    return True


CONTROL = bytes(set(range(32)) - {7, 8, 9, 10, 12, 13, 26, 27}) + b"\x7f"
